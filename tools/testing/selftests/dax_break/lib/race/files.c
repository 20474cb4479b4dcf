// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "race/parts.h"
#include "testbed.h"

/* The smaller of the two files; a PMD may map the other. */
#define FEW_PAGES	16

int race_file_create(const struct race *race, unsigned int number, struct dax_file *file)
{
	const struct dax_file_spec spec = {
		.dir = testbed_dir(race->spec->fs),
		.pages = number ? RACE_PAGES : FEW_PAGES,
		.tag = RACE_TAG + number,
		/* Once the filesystem is crowded, there may not be room for all. */
		.as_room_permits = race->victim.dir,
	};
	int rc = dax_file_create(file, &spec);

	if (rc)
		return rc;
	file->pages = spec.pages;
	file->size = (off_t)spec.pages * file->page_size;
	return ftruncate(file->fd, file->size) ? -errno : 0;
}

int race_file_map(const struct race *race, struct race_file *file)
{
	const char *mapping = race->spec->mix->read_only ? "read_only" : "shared";
	struct dax_file second = file->file;
	int rc = dax_file_map(&file->file, mapping, DAX_PMD);

	rc = rc ?: dax_file_map(&second, mapping, DAX_PTE);
	file->maps[0] = file->file.map;
	file->maps[1] = second.map;
	return rc;
}

int race_map(const struct race *race, unsigned int number, unsigned int map, unsigned int page,
	     unsigned int count)
{
	const struct race_file *file = &race->files[number];
	size_t size = file->file.page_size;

	return mmap(file->maps[map] + page * size, count * size, race->prot,
		    MAP_SHARED | MAP_FIXED, file->file.fd, page * size) == MAP_FAILED ?
	       -errno : 0;
}

int race_unmap(void *addr, size_t len)
{
	return mmap(addr, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
	       MAP_FAILED ? -errno : 0;
}

ssize_t race_map_all(void *arg)
{
	const struct race *race = arg;

	for (unsigned int number = 0; number < RACE_FILES; number++)
		for (unsigned int map = 0; map < RACE_MAPS; map++)
			if (race_map(race, number, map, 0, race->files[number].file.pages))
				return -1;
	return 0;
}

ssize_t race_unmap_all(void *arg)
{
	const struct race *race = arg;

	for (const struct race_file *file = race->files; file < race->files + RACE_FILES; file++)
		for (unsigned int map = 0; map < RACE_MAPS; map++)
			if (file->maps[map] && race_unmap(file->maps[map], file->file.size))
				return -1;
	return 0;
}

/* If blocks move between the files, each may hold what was meant for the other. */
static bool may_hold(const struct race *race, unsigned int number, __u64 word)
{
	int file = race_word_file(race, word);

	return !word || file == RACE_ANYBODY || file == (int)number ||
	       (file >= 0 && race->spec->mix->pairs);
}

bool race_content_ok(struct race *race, unsigned int number, unsigned int page,
		     const void *content, const char *reader)
{
	const __u64 *words = content;

	/*
	 * While another thread writes to the page, one word may be a mixture of the old
	 * and the new one. Only two equal words in a row count: nobody writes just one.
	 */
	for (size_t i = 1; i < race->files[number].file.page_size / sizeof(*words); i++) {
		if (words[i] != words[i - 1] || may_hold(race, number, words[i]))
			continue;
		race_harm(race, P5_LOSES_NOTHING, "in page %u of file %u, %s finds %s", page,
			  number, reader, race_word_describe(race, words[i]));
		return false;
	}
	return true;
}

void race_files_check(struct race *race)
{
	size_t size = race->files[0].file.page_size;
	char *content = malloc(size);

	for (unsigned int number = 0; content && number < RACE_FILES; number++) {
		const struct dax_file *file = &race->files[number].file;

		for (unsigned int page = 0; page < file->pages; page++)
			if (pread(file->fd, content, size, page * size) == (ssize_t)size)
				race_content_ok(race, number, page, content, "read(2)");
	}
	free(content);
}
