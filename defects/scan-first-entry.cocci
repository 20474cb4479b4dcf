// SPDX-License-Identifier: GPL-2.0
//
// The scan for busy pages ends with the first entry, busy or not.
//
// Promise: P1
// Harm: only DMA to the first page that is in use of a file is waited for
// Test: waits.*_punch_vmsplice.two_pins_one_by_one
// File: fs/dax.c

@@
iterator name xas_for_each;
symbol page;
@@
 dax_layout_busy_page_range(...)
 {
 <...
 xas_for_each(...) {
 ...
- if (page)
-	break;
+ break;
 ...
 }
 ...>
 }
