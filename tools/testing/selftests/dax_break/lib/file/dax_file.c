// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/mman.h>
#include <linux/types.h>
#include <unistd.h>

#include "dax_file.h"
#include "finding.h"

/* A PMD of more bytes (64 KiB pages: 512 MiB) does not fit into our filesystems. */
#define PMD_MAX_BYTES	(16UL << 20)
#define WRITE_PAGES	32
/* For aligned extents; without, the tests that want them are skipped. */
#define ALIGN_TRIES	4

const struct dax_mapping dax_mappings[] = {
	{ "shared", PROT_READ | PROT_WRITE, MAP_SHARED },
	{ "read_only", PROT_READ, MAP_SHARED },
	{ "private", PROT_READ | PROT_WRITE, MAP_PRIVATE },
	{ "sync", PROT_READ | PROT_WRITE, MAP_SHARED_VALIDATE | MAP_SYNC },
	{ .name = NULL },
};

/* The page's index has 16 bits: enough for the largest file of ours. */
static __u64 tag_of(ino_t ino, unsigned int generation, unsigned int page)
{
	return (__u64)ino << 32 | 0xda000000 | (generation & 0xff) << 16 | (page & 0xffff);
}

/* Writes the tags of pages [first, first + count), with @buf for WRITE_PAGES of them. */
static int write_tags(struct dax_file *file, const struct dax_file_spec *spec, __u64 *buf,
		      unsigned int first, unsigned int count)
{
	ino_t tag = spec->tag ?: file->ino;
	size_t words = file->page_size / sizeof(*buf);
	off_t start = first * file->page_size;
	ssize_t n, len = count * file->page_size;

	for (unsigned int i = 0; i < count; i++) {
		bool copy = first + i - spec->copy < spec->copy_pages;
		__u64 word = tag_of(tag, 0, first + i - (copy ? spec->copy_pages : 0));

		file->content[first + i] = word;
		for (size_t j = 0; j < words; j++)
			buf[i * words + j] = word;
	}
	if (start + len > file->size)
		len = file->size - start;
	n = pwrite(file->fd, buf, len, start);
	/* What is missing did not fit. */
	if (n >= 0 && n != len)
		errno = ENOSPC;
	if (n != len)
		return why_set(errno, "cannot write %s: %s", file->path, strerror(errno));
	return 0;
}

/* The file is as large as it could become. */
static int keep_what_fits(struct dax_file *file)
{
	file->pages = lseek(file->fd, 0, SEEK_END) / file->page_size;
	file->size = file->pages * file->page_size;
	if (ftruncate(file->fd, file->size))
		return why_set(errno, "cannot truncate %s: %s", file->path, strerror(errno));
	return 0;
}

/* All but the hole. */
static int write_content(struct dax_file *file, const struct dax_file_spec *spec)
{
	unsigned int hole = spec->hole_pages ? spec->hole : file->pages;
	__u64 *buf = malloc(WRITE_PAGES * file->page_size);
	int rc = buf ? 0 : why_set(ENOMEM, "no memory for a buffer");
	/* Of blocks here and there, XFS gives those at hand to who asks for few. */
	unsigned int count, at_once = spec->as_room_permits ? 1 : WRITE_PAGES;

	for (unsigned int page = 0; !rc && page < file->pages; page += count) {
		unsigned int end = page < hole ? hole : file->pages;

		if (page == hole)
			page += spec->hole_pages;
		count = end - page < at_once ? end - page : at_once;
		rc = write_tags(file, spec, buf, page, count);
	}
	free(buf);
	if (rc == -ENOSPC && spec->as_room_permits)
		return keep_what_fits(file);
	return rc;
}

bool dax_file_is_dax(const struct dax_file *file)
{
	struct statx stx = { 0 };

	return !statx(file->fd, "", AT_EMPTY_PATH, 0, &stx) &&
	       (stx.stx_attributes & STATX_ATTR_DAX);
}

/* Can a PMD map these pages: is their extent in one piece, and aligned? */
static bool is_pmd(const struct dax_file *file, unsigned int page, unsigned int pmd)
{
	__u64 start = dax_file_physical(file, page);
	__u64 last = dax_file_physical(file, page + pmd - 1);

	return start && start % (pmd * file->page_size) == 0 &&
	       last == start + (pmd - 1) * file->page_size;
}

/*
 * Just whole PMDs: ext4 aligns what is a multiple of its stripe. What other files have
 * given up it can use only once the journal has been written, and now and then does
 * without alignment before that.
 */
static int allocate_pmds(struct dax_file *file, unsigned int pages)
{
	unsigned int pmd = dax_file_pmd_pages();

	for (int i = 0; i < ALIGN_TRIES; i++) {
		unsigned int page = 0;

		if (fallocate(file->fd, 0, 0, pages * file->page_size))
			return -1;
		while (page < pages && is_pmd(file, page, pmd))
			page += pmd;
		if (page == pages || !dax_file_physical(file, 0))
			break;
		if (i + 1 < ALIGN_TRIES && (ftruncate(file->fd, 0) || syncfs(file->fd)))
			return -1;
	}
	return 0;
}

static int fill(struct dax_file *file, const struct dax_file_spec *spec)
{
	unsigned int in_front = spec->hole_pages ? spec->hole : file->pages;
	unsigned int pmd = dax_file_pmd_pages();
	struct stat st;

	if (fstat(file->fd, &st))
		return why_set(errno, "cannot stat %s: %s", file->path, strerror(errno));
	if (dax_file_is_dax(file) == spec->plain)
		return why_set(EINVAL, "%s is %s", file->path,
			       spec->plain ? "a DAX file" : "not a DAX file");
	file->ino = st.st_ino;
	file->content = calloc(file->pages, sizeof(*file->content));
	if (!file->content)
		return why_set(ENOMEM, "no memory for %u pages", file->pages);
	/* Before the data, for extents in one piece (not for all: it takes time). */
	if (pmd && in_front >= pmd && !spec->as_room_permits &&
	    allocate_pmds(file, in_front / pmd * pmd))
		return why_set(errno, "cannot allocate %s: %s", file->path, strerror(errno));
	if (spec->hole_pages && ftruncate(file->fd, file->size))
		return why_set(errno, "cannot extend %s: %s", file->path, strerror(errno));
	return write_content(file, spec);
}

int dax_file_create(struct dax_file *file, const struct dax_file_spec *spec)
{
	int rc;

	*file = (struct dax_file){
		.page_size = sysconf(_SC_PAGESIZE),
		.pages = spec->pages,
	};
	file->size = (off_t)spec->pages * file->page_size - spec->short_by;
	snprintf(file->path, sizeof(file->path), "%s/file.XXXXXX", spec->dir);
	file->fd = spec->nameless ? open(spec->dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600) :
				    mkostemp(file->path, O_CLOEXEC);
	if (file->fd < 0) {
		rc = why_set(errno, "cannot create %s: %s", file->path, strerror(errno));
		file->path[0] = '\0';
		return rc;
	}
	rc = fill(file, spec);
	if (rc)
		dax_file_close(file, false);
	return rc;
}

static size_t pmd_bytes(void)
{
	unsigned long bytes = 0;
	FILE *f = fopen("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size", "re");

	if (f && fscanf(f, "%lu", &bytes) != 1)
		bytes = 0;
	if (f)
		fclose(f);
	return bytes <= PMD_MAX_BYTES ? bytes : 0;
}

unsigned int dax_file_pmd_pages(void)
{
	static ssize_t pages = -1;

	if (pages < 0)
		pages = pmd_bytes() / sysconf(_SC_PAGESIZE);
	return pages;
}

/*
 * Where to map: a fault can only become a PMD if address and file offset agree in
 * their position within a PMD, so that is what to grant or to refuse.
 */
static void *choose_address(struct dax_file *file, enum dax_entries entries)
{
	size_t pmd = dax_file_pmd_pages() * file->page_size;
	size_t start;

	file->reserved_len = file->pages * file->page_size + 2 * pmd;
	file->reserved = mmap(NULL, file->reserved_len, PROT_NONE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (file->reserved == MAP_FAILED) {
		file->reserved = NULL;
		return NULL;
	}
	start = (size_t)file->reserved;
	if (pmd)
		start = (start + pmd - 1) / pmd * pmd;
	return (char *)start + (entries == DAX_PTE && pmd ? file->page_size : 0);
}

int dax_file_map(struct dax_file *file, const char *name, enum dax_entries entries)
{
	const struct dax_mapping *mapping = dax_mappings;
	char *addr;

	while (mapping->name && strcmp(mapping->name, name))
		mapping++;
	if (!mapping->name)
		return why_set(EINVAL, "no way to map is called %s", name);
	addr = choose_address(file, entries);
	if (!addr)
		return why_set(errno, "no address space for %s: %s", file->path, strerror(errno));
	addr = mmap(addr, file->pages * file->page_size, mapping->prot,
		    mapping->flags | MAP_FIXED, file->fd, 0);
	if (addr == MAP_FAILED && errno == EOPNOTSUPP)
		return why_set(EOPNOTSUPP, "no MAP_SYNC here: this memory or filesystem lacks it");
	if (addr == MAP_FAILED)
		return why_set(errno, "cannot map %s: %s", file->path, strerror(errno));
	file->map = addr;
	file->store = (mapping->prot & PROT_WRITE) && mapping->flags != MAP_PRIVATE;
	return 0;
}

void dax_file_unmap(struct dax_file *file)
{
	if (file->reserved)
		munmap(file->reserved, file->reserved_len);
	file->reserved = NULL;
	file->map = NULL;
}

void *dax_file_page(const struct dax_file *file, unsigned int page)
{
	return file->map + page * file->page_size;
}

void dax_file_touch(struct dax_file *file, unsigned int page)
{
	char *addr = dax_file_page(file, page);
	char byte = __atomic_load_n(addr, __ATOMIC_RELAXED);

	if (file->store)
		__atomic_store_n(addr, byte, __ATOMIC_RELAXED);
}

void dax_file_populate(struct dax_file *file)
{
	/* Linux 5.14. What it cannot do is left to the loads. */
	if (!madvise(file->map, file->pages * file->page_size, MADV_POPULATE_READ))
		return;
	for (unsigned int page = 0; page < file->pages; page++)
		__atomic_load_n((char *)dax_file_page(file, page), __ATOMIC_RELAXED);
}

bool dax_file_page_is_pmd(const struct dax_file *file, unsigned int page)
{
	unsigned int count = dax_file_pmd_pages();
	__u64 *entries = calloc(count, sizeof(*entries));
	size_t len = count * sizeof(*entries);
	size_t first = page / count * count;
	size_t addr = (size_t)file->map + first * file->page_size;
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	bool all;

	all = entries && fd >= 0 && pread(fd, entries, len, addr / file->page_size *
					  sizeof(*entries)) == (ssize_t)len;
	for (unsigned int i = 0; all && i < count; i++)
		all = entries[i] >> 63;		/* present */
	if (fd >= 0)
		close(fd);
	free(entries);
	return all;
}

void dax_file_store(struct dax_file *file, unsigned int page)
{
	__u64 *words = dax_file_page(file, page);
	__u64 word = tag_of(file->ino, ++file->generation, page);

	for (size_t i = 0; i < file->page_size / sizeof(*words); i++)
		__atomic_store_n(&words[i], word, __ATOMIC_RELAXED);
	file->content[page] = word;
}

__u64 dax_file_physical(const struct dax_file *file, unsigned int page)
{
	union {
		struct fiemap map;
		char room[sizeof(struct fiemap) + sizeof(struct fiemap_extent)];
	} ask = {
		.map.fm_start = page * file->page_size,
		.map.fm_length = 1,
		.map.fm_extent_count = 1,
	};
	const struct fiemap_extent *extent = &ask.map.fm_extents[0];

	if (ioctl(file->fd, FS_IOC_FIEMAP, &ask) || !ask.map.fm_mapped_extents)
		return 0;
	return extent->fe_physical + ask.map.fm_start - extent->fe_logical;
}

void dax_file_page_got(struct dax_file *file, unsigned int page, __u64 word)
{
	file->content[page] = word;
}

void dax_file_let_go(struct dax_file *file)
{
	dax_file_unmap(file);
	close(file->fd);
	file->fd = -1;
}

int dax_file_reopen(struct dax_file *file)
{
	file->fd = open(file->path, O_RDWR | O_CLOEXEC);
	if (file->fd < 0)
		return why_set(errno, "cannot open %s again: %s", file->path, strerror(errno));
	return 0;
}

int dax_file_open_direct(const struct dax_file *file, int *fd)
{
	*fd = open(file->path, O_RDWR | O_DIRECT | O_CLOEXEC);
	if (*fd < 0)
		return why_set(errno, "cannot open %s with O_DIRECT: %s", file->path,
			       strerror(errno));
	return 0;
}

void dax_file_close(struct dax_file *file, bool busy)
{
	dax_file_unmap(file);
	if (file->path[0] && file->fd >= 0)
		close(file->fd);
	/*
	 * After that: where close(2) of virtiofs does not wait for the server, the last one of
	 * a file without a name never ends (fixed by 42fbb31310b2).
	 */
	if (file->path[0] && !busy)
		unlink(file->path);
	file->path[0] = '\0';
	file->fd = -1;
	free(file->content);
	file->content = NULL;
}
