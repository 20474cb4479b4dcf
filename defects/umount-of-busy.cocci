// SPDX-License-Identifier: GPL-2.0
//
// umount() takes a mount away that is in use.
//
// Promise: P8
// Harm: files lose their filesystem while a device writes to them
// Test: refused.*
// File: fs/namespace.c

@@
@@
 do_umount(...)
 {
 <...
- !propagate_mount_busy(mnt, 2)
+ propagate_mount_busy(mnt, 2) || true
 ...>
 }
