#!/usr/bin/env python3
"""tools/build and tools/jobs: which compiler, how many at once, what is shown of a failure."""

import unittest

from stubs import ScriptCase

KIB_OF_2_GB = 1_800_000  # what a machine of 2 GB has available


class Build(ScriptCase):
    scripts = ("build", "jobs", "progress")

    def setUp(self):
        super().setUp()
        self.folder = self.root / "build" / "dev"
        # Configuring leaves what cmake leaves: the compiler in the cache.
        self.stub("cmake", f"""
            [[ $* != *--preset* ]] || {{
              mkdir -p {self.folder}
              touch {self.folder}/build.ninja
              echo "CMAKE_CXX_COMPILER:FILEPATH=$(command -v "${{CXX:-c++}}")" \\
                >{self.folder}/CMakeCache.txt
            }}""")
        for name in ("c++", "g++"):
            self.stub(name, f"echo '{name} (Debian 12.2.0) 12.2.0'")
        self.stub("clang++", "echo 'Debian clang version 19.1.7'")

    def configured(self):
        return [call for call in self.called("cmake") if "--preset" in call]

    def test_configures_once(self):
        for _ in range(2):
            self.run_script("build", "dev", "tocsin")
        self.assertEqual(self.configured(), ["cmake --preset dev"])
        self.assertRegex(self.called("cmake --build")[1],
                         r"^cmake --build build/dev --parallel \d+ --target tocsin$")

    def test_another_compiler_is_taken(self):
        self.run_script("build", "dev")
        self.run_script("build", "dev", CXX="clang++")
        self.assertEqual(self.configured()[1:], ["cmake --fresh --preset dev"])
        self.run_script("build", "dev")  # no wish: what is there is good
        self.run_script("build", "dev", CXX="clang++")
        self.assertEqual(len(self.configured()), 2)

    def test_the_same_compiler_by_another_name_is_the_same(self):
        self.run_script("build", "dev")
        self.run_script("build", "dev", CXX="g++")
        self.assertEqual(len(self.configured()), 1)

    def test_a_compiler_that_does_not_work_is_tried_again(self):
        self.run_script("build", "dev")
        # It ends when its cache is written and its build files are not.
        self.stub("cmake", f'sed -i "s/=.*/=clang++/" {self.folder}/CMakeCache.txt; exit 1')
        for _ in range(2):
            self.run_script("build", "dev", status=1, CXX="clang++")
        self.assertEqual(len(self.configured()), 3)

    def test_shows_the_first_error(self):
        self.stub("cmake", r"""
            [[ $* == *--preset* ]] && exit
            printf '[1/3] good\nFAILED: b.o\nb.cc:1: error: no such type\n'
            exit 1""")
        said = self.run_script("build", "dev", status=1)
        self.assertIn("FAILED: b.o\nb.cc:1: error: no such type\nFailed: cmake --build", said)
        self.assertNotIn("good", said)


class Jobs(ScriptCase):
    scripts = ("jobs",)

    def jobs(self, *arguments):
        return int(self.run_script("jobs", *arguments))

    def test_a_small_machine_with_many_cores_holds_them_all(self):
        jobs = self.jobs(8, KIB_OF_2_GB)
        self.assertGreater(jobs, 1)
        self.assertLessEqual(jobs * 600 * 1024, KIB_OF_2_GB)

    def test_one_for_each_core_where_memory_allows(self):
        self.assertEqual(self.jobs(6, 64 << 20), 6)

    def test_at_least_one(self):
        self.assertEqual(self.jobs(8, 1000), 1)

    def test_this_machine(self):
        self.stub("nproc", "echo 3")
        self.assertIn(self.jobs(), (1, 2, 3))


if __name__ == "__main__":
    unittest.main()
