/*
 * What a guest of the virtual platform is told of its devices (ACPI Specification 6.4, "ACPI Source Language Reference"). Addresses are those of
 * a PC; acpi.ts has the tables beside it. WITH_HPET is defined where there is an HPET.
 */
DefinitionBlock ("", "DSDT", 2, "CHRONO", "PLATFORM", 1)
{
    Scope (\_SB)
    {
        Device (CPU0)
        {
            Name (_HID, "ACPI0007")
            Name (_UID, 0) // the MADT's
        }

#ifdef WITH_HPET
        Device (HPET)
        {
            Name (_HID, EisaId ("PNP0103"))
            Name (_UID, 0) // the HPET table's number
            Name (_STA, 0x0F)
            Name (_CRS, ResourceTemplate ()
            {
                Memory32Fixed (ReadWrite, 0xFED00000, 0x400)
            })
        }
#endif

        Device (PIC)
        {
            Name (_HID, EisaId ("PNP0000"))
            Name (_CRS, ResourceTemplate ()
            {
                IO (Decode16, 0x20, 0x20, 1, 2)
                IO (Decode16, 0xA0, 0xA0, 1, 2)
                IO (Decode16, 0x4D0, 0x4D0, 1, 2)
                IRQNoFlags () {2}
            })
        }

        Device (TIMR)
        {
            Name (_HID, EisaId ("PNP0100"))
            Name (_CRS, ResourceTemplate ()
            {
                IO (Decode16, 0x40, 0x40, 1, 4)
                IRQNoFlags () {0}
            })
        }

        Device (SPKR)
        {
            Name (_HID, EisaId ("PNP0800"))
            Name (_CRS, ResourceTemplate ()
            {
                IO (Decode16, 0x61, 0x61, 1, 1)
            })
        }

        Device (RTC)
        {
            Name (_HID, EisaId ("PNP0B00"))
            Name (_CRS, ResourceTemplate ()
            {
                IO (Decode16, 0x70, 0x70, 1, 2)
                IRQNoFlags () {8}
            })
        }

        Device (COM1)
        {
            Name (_HID, EisaId ("PNP0501"))
            Name (_UID, 1)
            Name (_STA, 0x0F)
            Name (_CRS, ResourceTemplate ()
            {
                IO (Decode16, 0x3F8, 0x3F8, 1, 8)
                IRQNoFlags () {4}
            })
        }
    }

    // Soft off: SLP_TYP of PM1a_CNT and PM1b_CNT, and two reserved values.
    Name (\_S5, Package (4) {0, 0, 0, 0})
}
