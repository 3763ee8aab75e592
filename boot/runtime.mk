# The runtime's image and the build machine's bytecode compiler; included by the Makefile.
# QUICKJS (the engine's source folder) and BUILD come from there.

RUNTIME := $(BUILD)/runtime
ENGINE_SOURCES := quickjs.c cutils.c dtoa.c libregexp.c libunicode.c
ENGINE_DEFINES := -D_GNU_SOURCE -DCONFIG_VERSION='"$(shell cat "$(QUICKJS)/VERSION" 2>/dev/null)"'
# The engine is somebody else's: its warnings are not ours to mend.
ENGINE_WARNINGS := -w -fwrapv

# -mno-red-zone: interrupts and exceptions push onto the running stack.
# -ffile-prefix-map: the same image whichever folder it is built in.
BARE_FLAGS := -O2 -g0 -fno-pic -no-pie -mno-red-zone -fno-stack-protector -fcf-protection=none -fno-asynchronous-unwind-tables \
  -ffunction-sections -fdata-sections -fno-builtin-malloc -fno-builtin-calloc -fno-builtin-realloc -fno-builtin-free \
  -ffile-prefix-map="$(CURDIR)"=. -ffile-prefix-map=$(RUNTIME)=runtime -MMD -MP
STRICT := -std=gnu11 -Wall -Wextra -Werror -Wshadow -Wconversion -Wno-sign-conversion

RUNTIME_SOURCES := $(wildcard boot/*.c)
RUNTIME_C := $(filter-out boot/precompile.c boot/%.host.c,$(RUNTIME_SOURCES))
RUNTIME_OBJECTS := $(patsubst boot/%.S,$(RUNTIME)/%.S.o,$(wildcard boot/*.S)) $(patsubst boot/%.c,$(RUNTIME)/%.o,$(RUNTIME_C)) \
  $(patsubst %.c,$(RUNTIME)/engine/%.o,$(ENGINE_SOURCES))
HOST_OBJECTS := $(patsubst %.c,$(RUNTIME)/host/%.o,$(ENGINE_SOURCES))

$(BUILD)/runtime.elf: $(RUNTIME_OBJECTS) boot/layout.ld
	@echo "  LD      $@"
	@musl-gcc -static -nostartfiles -no-pie -Wl,-T,boot/layout.ld -Wl,--gc-sections -Wl,--build-id=none -Wl,-z,noexecstack -Wl,-z,max-page-size=4096 \
	  -o $@.part $(RUNTIME_OBJECTS) -lm
	@strip --strip-debug $@.part && mv $@.part $@

# Flags are sources too: every object depends on this file.
$(RUNTIME)/%.o: boot/%.c boot/runtime.mk | $(RUNTIME)/engine/quickjs.c
	@echo "  CC      $<"
	@mkdir -p $(@D)
	@musl-gcc $(BARE_FLAGS) $(STRICT) -isystem $(RUNTIME)/engine -c -o $@ $<

$(RUNTIME)/%.S.o: boot/%.S boot/runtime.mk
	@echo "  AS      $<"
	@mkdir -p $(@D)
	@gcc -c -MMD -MP -o $@ $<

# A copy of the engine's source with the edits of engine-edit.mjs. It is made anew when another source is named; the source's
# path is kept in a file, because make takes no prerequisites with spaces.
ENGINE_STAMP := $(RUNTIME)/engine-source
ifneq ($(shell cat $(ENGINE_STAMP) 2>/dev/null),$(QUICKJS))
$(shell mkdir -p $(RUNTIME) && printf '%s' "$(QUICKJS)" > $(ENGINE_STAMP))
endif
$(RUNTIME)/engine/quickjs.c: $(ENGINE_STAMP) boot/engine-edit.mjs
	@mkdir -p $(@D)
	@node boot/engine-edit.mjs "$(QUICKJS)" $(@D)

$(RUNTIME)/engine/%.o: boot/engine-call.h boot/runtime.mk $(RUNTIME)/engine/quickjs.c
	@echo "  CC      quickjs/$*.c"
	@musl-gcc $(BARE_FLAGS) $(ENGINE_DEFINES) $(ENGINE_WARNINGS) -iquote boot -c -o $@ $(RUNTIME)/engine/$*.c

$(RUNTIME)/host/%.o: boot/engine-call.h boot/runtime.mk $(RUNTIME)/engine/quickjs.c
	@echo "  HOSTCC  quickjs/$*.c"
	@mkdir -p $(@D)
	@gcc -O1 $(ENGINE_DEFINES) $(ENGINE_WARNINGS) -iquote boot -c -o $@ $(RUNTIME)/engine/$*.c

$(BUILD)/precompile: boot/precompile.c $(HOST_OBJECTS)
	@echo "  HOSTLD  $@"
	@gcc -O1 -Wall -isystem $(RUNTIME)/engine -o $@ $< $(HOST_OBJECTS) -lm -lpthread

-include $(wildcard $(RUNTIME)/*.d)
