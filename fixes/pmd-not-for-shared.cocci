// SPDX-License-Identifier: GPL-2.0
//
// A PTE fault on a block that files share puts its entry in the place of a PMD entry of
// the same range, whose pages are lost to the accounting. Shared blocks are mapped by
// PTEs only.
//
// Test: crash.*.pmd_then_pte crash.*_of_clone_then_pmd
// File: fs/dax.c

@@
expression iomap;
@@
 dax_fault_iter(...)
 {
 ...
 if (iomap->type != IOMAP_MAPPED && ...) { ... }
+ if (pmd && (iomap->flags & IOMAP_F_SHARED))
+	return VM_FAULT_FALLBACK;
 ...
 }
