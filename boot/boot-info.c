/*
 * What the loader says: PVH start info, version 0 or 1 (Xen, xen/arch-x86/hvm/start_info.h), and the
 * boot module, a ustar archive (POSIX.1-1988, "ustar Interchange Format"). Everything is copied: the loader's
 * memory is used again.
 */
#include "runtime.h"
#include <string.h>

#define START_INFO_MAGIC 0x336EC578

struct start_info {
    uint32_t magic, version, flags, module_count;
    uint64_t modules, command_line, rsdp;
    uint64_t memory_map; /* from version 1 */
    uint32_t memory_map_entries, reserved;
};
struct start_info_module { uint64_t address, length, command_line, reserved; };
struct start_info_memory { uint64_t address, length; uint32_t type, reserved; };

/* Types of the memory map are those of the BIOS function E820h (ACPI, "System Address Map Interfaces"). */
enum { E820_RAM = 1, E820_ACPI = 3 };

struct tar_header {
    char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type, link_name[100], magic[6];
    char rest[249];
};

extern const uint8_t image_start[], image_end[];

static void add_range(struct boot_info *info, uint64_t address, uint64_t length, enum memory_kind kind)
{
    if (length == 0)
        return;
    if (info->range_count == MEMORY_RANGES_MAX)
        fatal(EXIT_BOOT_INFO_INVALID, "memory map: more than %u ranges", MEMORY_RANGES_MAX);
    unsigned at = info->range_count++;
    for (; at > 0 && info->ranges[at - 1].address > address; at--)
        info->ranges[at] = info->ranges[at - 1];
    info->ranges[at] = (struct memory_range){ address, length, kind };
}

/* Gives [address, address + length) another kind, cutting the free range it lies in. */
static void claim(struct boot_info *info, uint64_t address, uint64_t length, enum memory_kind kind)
{
    for (unsigned i = 0; i < info->range_count; i++) {
        struct memory_range *range = &info->ranges[i];
        uint64_t end = range->address + range->length;
        if (range->kind != MEMORY_FREE || address < range->address || address + length > end)
            continue;
        range->length = address - range->address;
        if (range->length == 0)
            *range = (struct memory_range){ address, length, kind };
        else
            add_range(info, address, length, kind);
        add_range(info, address + length, end - address - length, MEMORY_FREE);
        return;
    }
    fatal(EXIT_BOOT_INFO_INVALID, "memory map: %#lx..%#lx is in use but not in a range of RAM", address, address + length);
}

static uint64_t page_up(uint64_t v) { return (v + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1); }
static uint64_t page_down(uint64_t v) { return v & ~(PAGE_SIZE - 1); }

static void read_memory_map(struct boot_info *info, const struct start_info *start)
{
    const struct start_info_memory *entry = (const void *)start->memory_map;
    for (uint32_t i = 0; i < start->memory_map_entries; i++, entry++) {
        uint64_t address = entry->address, end = address + entry->length;
        enum memory_kind kind = entry->type == E820_ACPI ? MEMORY_ACPI : MEMORY_RESERVED;
        if (entry->type == E820_RAM) {
            kind = MEMORY_FREE;
            /* The first MiB stays as the firmware left it (page 0, EBDA, option ROMs): nobody's to allocate. */
            if (address < 1 * MIB) {
                uint64_t low_end = end < 1 * MIB ? end : 1 * MIB;
                add_range(info, address, low_end - address, MEMORY_RESERVED);
                address = low_end;
            }
            address = page_up(address);
            end = page_down(end);
        }
        if (end > address)
            add_range(info, address, end - address, kind);
    }
}

void boot_info_read(struct boot_info *info, uint64_t start_info)
{
    const struct start_info *start = (const void *)start_info;
    if (start->magic != START_INFO_MAGIC)
        fatal(EXIT_BOOT_INFO_INVALID, "PVH start info at %#lx: magic is %08x, not %08x", start_info, start->magic, START_INFO_MAGIC);
    if (start->version < 1 || start->memory_map_entries == 0)
        fatal(EXIT_BOOT_INFO_INVALID, "PVH start info version %u has no memory map; a loader of version 1 is needed", start->version);

    if (start->command_line) {
        const char *line = (const char *)start->command_line;
        size_t length = strnlen(line, sizeof info->command_line);
        if (length == sizeof info->command_line)
            fatal(EXIT_BOOT_INFO_INVALID, "command line is longer than %lu bytes", sizeof info->command_line - 1);
        memcpy(info->command_line, line, length);
    }
    info->rsdp = start->rsdp;
    read_memory_map(info, start);
    claim(info, (uint64_t)image_start, (uint64_t)(image_end - image_start), MEMORY_RUNTIME);
    if (start->module_count > 0) {
        const struct start_info_module *module = (const void *)start->modules;
        info->archive_address = module->address;
        info->archive_length = module->length;
        uint64_t first = page_down(module->address);
        claim(info, first, page_up(module->address + module->length) - first, MEMORY_MODULE);
    }
}

static uint64_t octal(const char *digits, size_t width)
{
    uint64_t value = 0;
    for (size_t i = 0; i < width && digits[i] >= '0' && digits[i] <= '7'; i++)
        value = value * 8 + (uint64_t)(digits[i] - '0');
    return value;
}

static bool checksum_holds(const struct tar_header *header)
{
    const uint8_t *bytes = (const uint8_t *)header;
    uint64_t sum = 0;
    for (size_t i = 0; i < sizeof *header; i++) {
        bool in_checksum = i >= offsetof(struct tar_header, checksum) && i < offsetof(struct tar_header, type);
        sum += in_checksum ? ' ' : bytes[i];
    }
    return sum == octal(header->checksum, sizeof header->checksum);
}

void boot_info_read_archive(struct boot_info *info)
{
    _Static_assert(sizeof(struct tar_header) == 512, "ustar header");
    if (info->archive_length == 0)
        fatal(EXIT_BOOT_INFO_INVALID, "no boot module: the loader was given no archive with a bundle (QEMU: -initrd)");
    uint64_t offset = 0;
    while (offset + sizeof(struct tar_header) <= info->archive_length) {
        const struct tar_header *header = (const void *)(info->archive_address + offset);
        if (header->name[0] == 0)
            return;
        if (memcmp(header->magic, "ustar", 5) != 0 || !checksum_holds(header))
            fatal(EXIT_BOOT_INFO_INVALID, "boot module: no ustar header at offset %lu (damaged, or not an archive)", offset);
        uint64_t length = octal(header->size, sizeof header->size);
        offset += sizeof *header;
        if (length > info->archive_length - offset)
            fatal(EXIT_BOOT_INFO_INVALID, "boot module: %s is cut short, %lu of %lu bytes", header->name, info->archive_length - offset, length);
        if (header->type == '0' || header->type == 0) {
            if (info->file_count == MODULE_FILES_MAX)
                fatal(EXIT_BOOT_INFO_INVALID, "boot module: more than %u files", MODULE_FILES_MAX);
            info->files[info->file_count++] = (struct module_file){ header->name, (const uint8_t *)(info->archive_address + offset), length };
        }
        offset += (length + 511) & ~511ul;
    }
}

const struct module_file *boot_info_find(const struct boot_info *info, const char *name)
{
    for (unsigned i = 0; i < info->file_count; i++)
        if (strcmp(info->files[i].name, name) == 0)
            return &info->files[i];
    return NULL;
}

uint64_t boot_info_size_option(const struct boot_info *info, const char *name, uint64_t otherwise)
{
    size_t name_length = strlen(name);
    for (const char *word = info->command_line; *word;) {
        size_t length = strcspn(word, " ");
        if (length > name_length && strncmp(word, name, name_length) == 0 && word[name_length] == '=') {
            const char *digit = word + name_length + 1, *end = word + length;
            uint64_t value = 0, unit = 1;
            for (; digit < end && *digit >= '0' && *digit <= '9' && value < 1ul << 40; digit++)
                value = value * 10 + (uint64_t)(*digit - '0');
            if (digit < end && (*digit == 'K' || *digit == 'M' || *digit == 'G'))
                unit = *digit == 'K' ? KIB : *digit == 'M' ? MIB : GIB, digit++;
            if (digit != end || value == 0 || value > (1ul << 50) / unit)
                fatal(EXIT_BOOT_INFO_INVALID, "command line: %.*s is not a size such as %s=32M", (int)length, word, name);
            return value * unit;
        }
        word += length;
        word += strspn(word, " ");
    }
    return otherwise;
}

static struct memory_range *largest_free(const struct boot_info *info)
{
    const struct memory_range *best = NULL;
    for (unsigned i = 0; i < info->range_count; i++) {
        const struct memory_range *range = &info->ranges[i];
        if (range->kind == MEMORY_FREE && range->address < 4 * GIB && (!best || range->length > best->length))
            best = range;
    }
    return (struct memory_range *)best;
}

uint64_t boot_info_largest_free(const struct boot_info *info)
{
    const struct memory_range *range = largest_free(info);
    return range ? range->length : 0;
}

uint64_t boot_info_take(struct boot_info *info, uint64_t length)
{
    const struct memory_range *range = largest_free(info);
    length = page_up(length);
    if (!range || range->length < length)
        fatal(EXIT_BOOT_INFO_INVALID, "not enough memory: %lu KiB wanted, the largest free range has %lu KiB", length / KIB,
              range ? range->length / KIB : 0);
    uint64_t address = range->address;
    claim(info, address, length, MEMORY_RUNTIME);
    return address;
}

uint64_t boot_info_low_memory_end(const struct boot_info *info)
{
    /* Ranges that the firmware reserves high below 4 GiB are its flash and devices, not memory: stop at the first gap after RAM. */
    uint64_t end = 1 * MIB;
    for (unsigned i = 0; i < info->range_count; i++)
        if (info->ranges[i].address <= end + 64 * KIB && info->ranges[i].address + info->ranges[i].length > end)
            end = info->ranges[i].address + info->ranges[i].length;
    return end < 4 * GIB ? end : 4 * GIB;
}
