// SPDX-License-Identifier: GPL-2.0
//
// Who waits for the page is woken by another address than the one that he waits at.
//
// Promise: P2
// Harm: truncate() hangs until a signal comes, though the device is done
// Test: waits.*_punch_*.two_pins_one_by_one
// File: mm/memremap.c

@@
expression folio;
@@
 free_zone_device_folio(...)
 {
 <...
- wake_up_var(&folio->page);
+ wake_up_var(&folio->page._refcount);
 ...>
 }
