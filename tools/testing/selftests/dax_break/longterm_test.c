// SPDX-License-Identifier: GPL-2.0
/*
 * P7, no long-term pins: references of unbounded life to fsdax memory are
 * refused with a clean errno, and leave nothing behind.
 *
 * Each case makes one of the requests of longterm.h, all of which lead to a FOLL_LONGTERM
 * pin: first for anonymous memory, where it must be granted, then for a mapping of a file
 * of four pages. What must be seen then: the errno of a refusal; anonymous memory that was
 * part of the request is no longer pinned or charged for; and an operation on the pages of
 * the file finds none of them busy.
 *
 * check_vma_flags(), mm/gup.c, for the slow path; folio_is_longterm_pinnable(),
 * include/linux/mm.h, for the fast one, which only pages already in the page
 * tables take.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "dax_break.h"
#include "longterm.h"

#define PAGES	4U
#define HALF	(PAGES / 2)

FIXTURE(longterm) {
	struct trial trial;
	struct longterm longterm;
	char *map;	/* another mapping than trial.file.map; NULL: not mapped */
	size_t len;
};

FIXTURE_VARIANT(longterm) {
	struct fs_op on;
	const struct longterm_request *request;
};

FIXTURE_SETUP(longterm)
{
	const struct trial_spec spec = {
		.on = { variant->on.fs, op_find("truncate") },
		.pages = PAGES,
		.first = 0,
		.count = PAGES,
	};

	self->len = PAGES * sysconf(_SC_PAGESIZE);
	/* Before the file is made: if this skips the test, nothing is left behind. */
	REQUIRE(return, longterm_open(&self->longterm, variant->request, self->len));
	REQUIRE(return, trial_setup(&self->trial, &spec));
}

FIXTURE_TEARDOWN(longterm)
{
	longterm_close(&self->longterm);
	if (self->map)
		munmap(self->map, self->len);
	trial_teardown(_metadata, &self->trial);
}

/* P7: none of the file's pages has a reference left. */
#define ASSERT_FILE_IS_FREE(_trial) do { \
	struct trial *__free = (_trial); \
\
	trial_start(__free); \
	ASSERT_EQ(WAITER_DONE, waiter_observe(&__free->waiter)) { \
		BROKEN(P7_NO_LONGTERM_PINS, "%s", trial_describe(__free)); \
	} \
	ASSERT_COMPLETES(__free); \
} while (0)

/* P7: refused with @_errno, and everything is released, also @_len bytes at @_addr. */
#define ASSERT_REFUSED(_longterm, _errno, _addr, _len) do { \
	struct longterm *__asked = (_longterm); \
\
	ASSERT_EQ(_errno, __asked->answer) { \
		BROKEN(P7_NO_LONGTERM_PINS, "%s", longterm_describe(__asked)); \
	} \
	ASSERT_EQ(0, longterm_check_undone(__asked, _addr, _len)) { \
		BROKEN(P7_NO_LONGTERM_PINS, "%s, but %s", longterm_describe(__asked), why()); \
	} \
} while (0)

/* The whole file, mapped with @prot and @flags. */
static int map_file(char **map, const struct dax_file *file, int prot, int flags)
{
	void *addr = mmap(NULL, PAGES * file->page_size, prot, flags, file->fd, 0);

	if (addr == MAP_FAILED)
		return why_set(errno, "cannot map %s: %s", file->path, strerror(errno));
	*map = addr;
	return 0;
}

/* Anonymous memory, except for HALF pages from @first on, which are the file's. */
static int map_neighbours(char **map, const struct dax_file *file, unsigned int first)
{
	int rw = PROT_READ | PROT_WRITE;
	char *addr = mmap(NULL, PAGES * file->page_size, rw, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (addr == MAP_FAILED)
		return why_set(errno, "cannot map %u pages: %s", PAGES, strerror(errno));
	*map = addr;
	memset(addr, 0, PAGES * file->page_size);
	if (mmap(addr + first * file->page_size, HALF * file->page_size, rw,
		 MAP_SHARED | MAP_FIXED, file->fd, 0) == MAP_FAILED)
		return why_set(errno, "cannot map %s: %s", file->path, strerror(errno));
	return 0;
}

static void load(const char *map, const struct dax_file *file)
{
	for (unsigned int page = 0; page < PAGES; page++)
		__atomic_load_n(map + page * file->page_size, __ATOMIC_SEQ_CST);
}

static void store(char *map, const struct dax_file *file, unsigned int pages)
{
	for (unsigned int page = 0; page < pages; page++)
		__atomic_store_n(map + page * file->page_size, 1, __ATOMIC_SEQ_CST);
}

/* Nothing faulted in yet: the slow path of GUP. */
TEST_F(longterm, cold)
{
	longterm_ask(&self->longterm, self->trial.file.map);
	ASSERT_REFUSED(&self->longterm, -EOPNOTSUPP, NULL, 0);
	ASSERT_FILE_IS_FREE(&self->trial);
}

/* All faulted in, writable: the fast path of GUP gets to see the pages. */
TEST_F(longterm, faulted_in)
{
	for (unsigned int page = 0; page < PAGES; page++)
		dax_file_touch(&self->trial.file, page);
	longterm_ask(&self->longterm, self->trial.file.map);
	ASSERT_REFUSED(&self->longterm, -EOPNOTSUPP, NULL, 0);
	ASSERT_FILE_IS_FREE(&self->trial);
}

/* Faulted in and not writable: there is another reason to refuse besides fsdax. */
TEST_F(longterm, read_only)
{
	const struct dax_file *file = &self->trial.file;

	REQUIRE(return, map_file(&self->map, file, PROT_READ, MAP_SHARED));
	load(self->map, file);
	longterm_ask(&self->longterm, self->map);
	ASSERT_REFUSED(&self->longterm, -EOPNOTSUPP, NULL, 0);
	ASSERT_FILE_IS_FREE(&self->trial);
}

/* A private mapping: a pin for writing would copy, but GUP does not get that far. */
TEST_F(longterm, private_cold)
{
	REQUIRE(return, map_file(&self->map, &self->trial.file, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE));
	longterm_ask(&self->longterm, self->map);
	ASSERT_REFUSED(&self->longterm, -EOPNOTSUPP, NULL, 0);
	ASSERT_FILE_IS_FREE(&self->trial);
}

/* The same with the file's own pages in the page tables. */
TEST_F(longterm, private_faulted_in)
{
	const struct dax_file *file = &self->trial.file;

	REQUIRE(return, map_file(&self->map, file, PROT_READ | PROT_WRITE, MAP_PRIVATE));
	load(self->map, file);
	longterm_ask(&self->longterm, self->map);
	ASSERT_REFUSED(&self->longterm, -EOPNOTSUPP, NULL, 0);
	ASSERT_FILE_IS_FREE(&self->trial);
}

/*
 * All pages are copied to anonymous ones. The fast path of GUP may grant the request; the
 * slow one, which goes by the mapping, does not. Neither concerns the pages of the file.
 */
TEST_F(longterm, private_copied)
{
	const struct dax_file *file = &self->trial.file;

	REQUIRE(return, map_file(&self->map, file, PROT_READ | PROT_WRITE, MAP_PRIVATE));
	store(self->map, file, PAGES);
	if (longterm_ask(&self->longterm, self->map))
		ASSERT_REFUSED(&self->longterm, -EOPNOTSUPP, self->map, self->len);
	TH_LOG("private copies: %s", longterm_describe(&self->longterm));
	ASSERT_FILE_IS_FREE(&self->trial);
}

/* Some pages are copied: the fast path pins these, and then meets the file's pages. */
TEST_F(longterm, private_partly_copied)
{
	struct longterm *longterm = &self->longterm;
	const struct dax_file *file = &self->trial.file;

	REQUIRE(return, map_file(&self->map, file, PROT_READ | PROT_WRITE, MAP_PRIVATE));
	load(self->map, file);
	store(self->map, file, HALF);
	if (longterm_ask(longterm, self->map) == longterm->request->partial)
		ASSERT_REFUSED(longterm, longterm->request->partial, self->map,
			       HALF * file->page_size);
	else
		ASSERT_REFUSED(longterm, -EOPNOTSUPP, self->map, HALF * file->page_size);
	ASSERT_FILE_IS_FREE(&self->trial);
}

/* A range of memory that begins with anonymous pages: these are pinned, and released. */
TEST_F(longterm, after_anonymous)
{
	struct longterm *longterm = &self->longterm;
	const struct dax_file *file = &self->trial.file;

	REQUIRE(return, map_neighbours(&self->map, file, HALF));
	longterm_ask(longterm, self->map);
	ASSERT_REFUSED(longterm, longterm->request->partial, self->map,
		       HALF * file->page_size);
	ASSERT_FILE_IS_FREE(&self->trial);
}

/* The same the other way round. */
TEST_F(longterm, before_anonymous)
{
	const struct dax_file *file = &self->trial.file;

	REQUIRE(return, map_neighbours(&self->map, file, 0));
	longterm_ask(&self->longterm, self->map);
	ASSERT_REFUSED(&self->longterm, -EOPNOTSUPP, self->map + HALF * file->page_size,
		       HALF * file->page_size);
	ASSERT_FILE_IS_FREE(&self->trial);
}

static void add_variants(void)
{
	for (struct cases c = cases_of_filesystems(0); cases_next(&c);)
		for (const struct longterm_request *r = NULL; (r = longterm_next(r));) {
			const FIXTURE_VARIANT(longterm) data = { c.on, r };

			VARIANT_ADD_AS(longterm, data, "%s", r->name);
		}
}

DAX_BREAK_MAIN(.variants = add_variants)
