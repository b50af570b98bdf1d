# proto/version.h's answers.
#
#   tocsin_version(TARGET)
#
# compiles version.cc into TARGET. Every build asks git anew, and the file is written only if it would
# say something else: a commit compiles one small file. It also links again what links TARGET; where
# that is many tests, TOCSIN_COMMIT names a fixed text (the presets for developers do). Without git or
# outside a clone, as in a source archive, the commit is empty.
if(CMAKE_SCRIPT_MODE_FILE)  # cmake -D SOURCE=... -D GIT=... -D VERSION=... -D OUTPUT=... -P ...
  set(commit "")
  # A clone of its own: an archive unpacked in somebody else's is none.
  if(GIT AND EXISTS "${SOURCE}/.git")
    execute_process(
      COMMAND "${GIT}" -C "${SOURCE}" describe --always --dirty --abbrev=12 --exclude=*
      OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  endif()
  if(COMMIT)
    set(commit "${COMMIT}")
  endif()
  file(CONFIGURE OUTPUT "${OUTPUT}" @ONLY CONTENT
[[// Made by tools/cmake/version.cmake.
#include "proto/version.h"

namespace tocsin {

std::string_view version() {
  return "@VERSION@";
}

std::string_view commit() {
  return "@commit@";
}

}  // namespace tocsin
]])
  return()
endif()

set(TOCSIN_COMMIT "" CACHE STRING "What the program calls its commit; empty: ask git")
set(TOCSIN_VERSION_SCRIPT "${CMAKE_CURRENT_LIST_FILE}")

function(tocsin_version target)
  find_package(Git QUIET)
  set(output "${CMAKE_CURRENT_BINARY_DIR}/version.cc")
  add_custom_target(${target}_version
    COMMAND ${CMAKE_COMMAND} -D "SOURCE=${PROJECT_SOURCE_DIR}" -D "GIT=${GIT_EXECUTABLE}"
            -D "VERSION=${PROJECT_VERSION}" -D "COMMIT=${TOCSIN_COMMIT}" -D "OUTPUT=${output}"
            -P "${TOCSIN_VERSION_SCRIPT}"
    BYPRODUCTS "${output}"
    VERBATIM)
  target_sources(${target} PRIVATE "${output}")
  add_dependencies(${target} ${target}_version)
endfunction()
