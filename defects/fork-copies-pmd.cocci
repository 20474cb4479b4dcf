// SPDX-License-Identifier: GPL-2.0
//
// PMDs of DAX files are marked special, so that a fork copies those of virtiofs with
// nothing counted: as in Linux 6.15 and 6.16.
//
// Promise: P9
// Harm: any user makes the kernel miscount references, and what is mapped
// Test: crash_fork.*
// File: mm/huge_memory.c

@@
expression entry, folio, prot;
@@
 insert_pmd(...)
 {
 <...
 entry = folio_mk_pmd(folio, prot);
+ entry = pmd_mkspecial(entry);
 ...>
 }
