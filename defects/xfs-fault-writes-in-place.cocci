// SPDX-License-Identifier: GPL-2.0
//
// A fault for writing gets the block that the file shares with a clone, not a copy of its own.
//
// Promise: P6
// Harm: what is stored into one of two clones shows in the other
// Test: frozen.*
// File: fs/xfs/xfs_iomap.c

@@
expression ip, flags, imap, nimaps;
@@
 xfs_direct_write_iomap_begin(...)
 {
 <...
- if (imap_needs_cow(ip, flags, imap, nimaps))
+ if (!(flags & IOMAP_FAULT) && imap_needs_cow(ip, flags, imap, nimaps))
 { ... }
 ...>
 }
