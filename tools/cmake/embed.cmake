# Files inside the binary.
#
#   tocsin_embed(TARGET FILE NAME)
#
# compiles FILE (relative to the calling directory) into TARGET, which then has
#
#   #include <embedded/NAME.h>
#   tocsin::embedded::NAME    // const std::string_view: the file's bytes, for as long as it runs
#
# The file is read when the target is built, and again when it has changed. NAME is an identifier. To
# be called in the directory that defines TARGET.

if(CMAKE_SCRIPT_MODE_FILE)  # the build step: cmake -D SOURCE=... -D NAME=... -D OUTPUT=... -P ...
  file(READ "${SOURCE}" hex HEX)
  string(LENGTH "${hex}" digits)
  math(EXPR size "${digits} / 2")
  if(size EQUAL 0)
    message(FATAL_ERROR "${SOURCE} is empty")
  endif()
  string(REGEX REPLACE "(..)" "'\\\\x\\1'," bytes "${hex}")
  set(four "'[^']+',")
  string(REGEX REPLACE "(${four}${four}${four}${four}${four}${four}${four}${four})" "\\1\n"
         bytes "${bytes}")
  file(WRITE "${OUTPUT}/${NAME}.h"
"// Made by tools/cmake/embed.cmake.
#pragma once

#include <string_view>

namespace tocsin::embedded {
extern const std::string_view ${NAME};
}  // namespace tocsin::embedded
")
  file(WRITE "${OUTPUT}/${NAME}.cc"
"// Made by tools/cmake/embed.cmake.
#include <embedded/${NAME}.h>

#include <array>

namespace tocsin::embedded {
namespace {
constexpr std::array<char, ${size}> kBytes = {
${bytes}
};
}  // namespace
constinit const std::string_view ${NAME}(kBytes.data(), kBytes.size());
}  // namespace tocsin::embedded
")
  return()
endif()

set(TOCSIN_EMBED_SCRIPT "${CMAKE_CURRENT_LIST_FILE}")

function(tocsin_embed target file name)
  get_filename_component(source "${file}" ABSOLUTE)
  set(root "${CMAKE_CURRENT_BINARY_DIR}/include")
  set(output "${root}/embedded")
  add_custom_command(
    OUTPUT "${output}/${name}.h" "${output}/${name}.cc"
    COMMAND ${CMAKE_COMMAND} -D "SOURCE=${source}" -D "NAME=${name}" -D "OUTPUT=${output}"
            -P "${TOCSIN_EMBED_SCRIPT}"
    DEPENDS "${source}" "${TOCSIN_EMBED_SCRIPT}"
    COMMENT "Embedding ${file}"
    VERBATIM)
  target_sources(${target} PRIVATE "${output}/${name}.h" "${output}/${name}.cc")
  target_include_directories(${target} PRIVATE "${root}")
endfunction()
