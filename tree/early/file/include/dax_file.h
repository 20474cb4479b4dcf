/* SPDX-License-Identifier: GPL-2.0 */
/* A file of zeroes on a DAX filesystem, and a mapping of it. */
#ifndef DAX_BREAK_DAX_FILE_H
#define DAX_BREAK_DAX_FILE_H

/* Creates it by write(2), and proves that it is DAX. The caller calls dax_file_close(). */
int dax_file_create(struct dax_file *file, const struct dax_file_spec *spec);

/* Maps the file; touches no page. */
int dax_file_map(struct dax_file *file);
void dax_file_unmap(struct dax_file *file);

/* Faults @page in by a store that does not change it. */
void dax_file_touch(struct dax_file *file, unsigned int page);

#endif
