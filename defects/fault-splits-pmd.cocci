// SPDX-License-Identifier: GPL-2.0
//
// A fault for a small page replaces a PMD entry that is backed by blocks, instead of
// using it.
//
// Promise: P1
// Harm: DMA to a huge page is forgotten as soon as somebody maps a small part of it
// Test: entries.*.pmd_then_pte
// File: fs/dax.c

@@
expression entry;
symbol pmd_downgrade;
@@
 grab_mapping_entry(...)
 {
 <...
- if (dax_is_pmd_entry(entry) &&
-     (dax_is_zero_entry(entry) || dax_is_empty_entry(entry))) {
+ if (dax_is_pmd_entry(entry)) {
 ...
 }
 ...>
 }
