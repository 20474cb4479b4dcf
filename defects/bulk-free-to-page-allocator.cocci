// SPDX-License-Identifier: GPL-2.0
//
// DAX pages that are unmapped many at once go to the page allocator.
//
// Promise: P9
// Harm: memory of the file is handed out as that of processes
// Test: precise.*.mapped
// File: mm/folio.c

@@
expression folio;
@@
 folios_put_refs(...)
 {
 <...
- if (folio_is_zone_device(folio)) {
- ...
- }
 ...>
 }
