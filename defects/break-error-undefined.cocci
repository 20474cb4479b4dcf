// SPDX-License-Identifier: GPL-2.0
//
// What dax_break_layout() returns when no page was busy is whatever its stack held: a
// fault of the first versions of the series that introduced it.
//
// Promise: P4
// Harm: truncate or hole punch fails for no reason, or returns a number that no program
//   expects
// Test: precise.*.mapped
// File: fs/dax.c

@@
identifier error;
@@
 dax_break_layout(...)
 {
 ...
- int error = 0;
+ int error = (int)(long)inode | 1;
 ...
 }
