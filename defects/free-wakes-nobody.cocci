// SPDX-License-Identifier: GPL-2.0
//
// Nobody is woken when the last reference to a page goes.
//
// Promise: P2
// Harm: truncate() hangs until a signal comes, though the device is done
// Test: waits.*_punch_*.two_pins_one_by_one scope.*_punch.*
// File: mm/memremap.c

@@
@@
 free_zone_device_folio(...)
 {
 <...
- wake_up_var(...);
 ...>
 }
