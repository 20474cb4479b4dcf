// SPDX-License-Identifier: GPL-2.0
//
// A signal that ends the wait of FIDEDUPERANGE reaches the program as the number that
// only the kernel knows, ERESTARTSYS.
//
// Test: interrupted.*_dedupe_*
// File: fs/remap_range.c

@@
expression info, deduped;
@@
 vfs_dedupe_file_range(...)
 {
 <...
- info->status = deduped;
+ info->status = deduped == -ERESTARTSYS ? -EINTR : deduped;
 ...>
 }
