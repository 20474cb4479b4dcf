// SPDX-License-Identifier: GPL-2.0
//
// Who asks without waiting is told that nothing is busy: XFS, of the second of two
// files.
//
// Promise: P1
// Harm: cloning into a file shares blocks that a device still writes to
// Test: frozen.*_higher.pinned
// File: fs/dax.c

@@
identifier error;
symbol cb;
@@
 dax_break_layout(...)
 {
 <...
 if (!cb) {
- error = -ERESTARTSYS;
+ error = 0;
 ...
 }
 ...>
 }
