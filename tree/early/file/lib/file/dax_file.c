// SPDX-License-Identifier: GPL-2.0
static int fill(struct dax_file *file)
{
	char *buf = calloc(file->pages, file->page_size);
	ssize_t len = file->pages * file->page_size;
	int rc = 0;

	if (!buf)
		return why_set(ENOMEM, "no memory for a buffer");
	if (!dax_file_is_dax(file))
		rc = why_set(EOPNOTSUPP, "what DAX_BREAK_PMEM names has no DAX files");
	else if (pwrite(file->fd, buf, len, 0) != len)
		rc = why_set(errno, "cannot write %s: %s", file->path, strerror(errno));
	free(buf);
	return rc;
}

int dax_file_create(struct dax_file *file, const struct dax_file_spec *spec)
{
	int rc;

	*file = (struct dax_file){
		.page_size = sysconf(_SC_PAGESIZE),
		.pages = spec->pages,
	};
	snprintf(file->path, sizeof(file->path), "%s/file.XXXXXX", spec->dir);
	file->fd = mkostemp(file->path, O_CLOEXEC);
	if (file->fd < 0) {
		rc = why_set(errno, "cannot create %s: %s", file->path, strerror(errno));
		file->path[0] = '\0';
		return rc;
	}
	rc = fill(file);
	if (rc)
		dax_file_close(file, false);
	return rc;
}

int dax_file_map(struct dax_file *file)
{
	char *addr = mmap(NULL, file->pages * file->page_size, PROT_READ | PROT_WRITE, MAP_SHARED,
			  file->fd, 0);

	if (addr == MAP_FAILED)
		return why_set(errno, "cannot map %s: %s", file->path, strerror(errno));
	file->map = addr;
	return 0;
}

void dax_file_unmap(struct dax_file *file)
{
	if (file->map)
		munmap(file->map, file->pages * file->page_size);
	file->map = NULL;
}

void dax_file_touch(struct dax_file *file, unsigned int page)
{
	char *addr = dax_file_page(file, page);

	__atomic_store_n(addr, __atomic_load_n(addr, __ATOMIC_RELAXED), __ATOMIC_RELAXED);
}

void dax_file_close(struct dax_file *file, bool busy)
{
	dax_file_unmap(file);
	if (file->path[0] && !busy)
		unlink(file->path);
	if (file->path[0] && file->fd >= 0)
		close(file->fd);
	file->path[0] = '\0';
	file->fd = -1;
}
