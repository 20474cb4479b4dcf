// SPDX-License-Identifier: GPL-2.0
//
// A PMD entry that is deleted counts as one page, not as 512.
//
// Promise: P9
// Harm: unlink of a file that was mapped by huge pages crashes the kernel
// Test: entries.*_unlink.pmd_head
// File: fs/dax.c

@@
expression mapping, entry;
@@
 dax_delete_mapping_range(...)
 {
 <...
- mapping->nrpages -= 1UL << dax_entry_order(entry);
+ mapping->nrpages--;
 ...>
 }
