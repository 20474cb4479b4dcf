// SPDX-License-Identifier: GPL-2.0
//
// A layout break deletes the entries of the whole file, dirty ones as well, and those
// outside the range of the operation, so that fsync() no longer knows which pages to
// write back. They are written back first.
//
// Test: dirty.*.fsync dirty_mapped.*.msync dirty_pmd.*
// File: fs/dax.c

@@
identifier inode, page;
@@
 dax_break_layout(struct inode *inode, ...)
 {
 ...
+ if (!page)
+	filemap_write_and_wait(inode->i_mapping);
 if (!page)
	dax_delete_mapping_range(...);
 ...
 }
