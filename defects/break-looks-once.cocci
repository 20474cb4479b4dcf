// SPDX-License-Identifier: GPL-2.0
//
// After waiting for one busy page the layout is taken for broken: the range is not
// looked at again.
//
// Promise: P1
// Harm: a buffer of two pages or more is freed while a device still fills the rest of
//   it
// Test: waits.*_punch_*.two_pins_one_by_one
// File: fs/dax.c

@@
identifier error;
@@
 dax_break_layout(...)
 {
 <...
 error = wait_page_idle(...);
+ break;
 ...>
 }
