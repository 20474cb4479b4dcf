// SPDX-License-Identifier: GPL-2.0
//
// A page is also busy if the next one on the device is, whosever that may be.
//
// Promise: P4
// Harm: truncating one file waits for a device that writes to another
// Test: other_file.*
// File: fs/dax.c

@@
identifier folio;
@@
 dax_busy_page(...)
 {
 <...
 if (folio_ref_count(folio) - folio_mapcount(folio))
	return &folio->page;
- else
-	return NULL;
+ folio = page_folio(&folio->page + folio_nr_pages(folio));
+ if (folio_ref_count(folio) - folio_mapcount(folio))
+	return &folio->page;
+ return NULL;
 ...>
 }
