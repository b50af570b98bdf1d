# llhttp: a system library where there is one (newer distributions), else the generated C sources that
# Debian 12 ships in node-llhttp; they become a static target of ours. tools/install-packages unpacks
# that package, because installed it would bring Node.js. Either way: llhttp::llhttp. Who links our
# libraries needs it, too: TOCSIN_LLHTTP_DEPENDENCY is how their CMake finds it (nothing: it is installed
# and exported with them), TOCSIN_LLHTTP_NAME how their linker does. TOCSIN_LLHTTP_COPYRIGHT is the file
# with the licence of what is compiled in (Debian's, of the package's other contents, too: llhttp's is
# MIT), or empty.
find_package(llhttp QUIET CONFIG)
set(TOCSIN_LLHTTP_DEPENDENCY "find_dependency(llhttp)")
set(TOCSIN_LLHTTP_NAME llhttp)
set(TOCSIN_LLHTTP_COPYRIGHT "")
if(TARGET llhttp::llhttp)
  return()
endif()
foreach(candidate llhttp::llhttp_shared llhttp::llhttp_static)
  if(TARGET ${candidate})
    add_library(llhttp::llhttp ALIAS ${candidate})
    return()
  endif()
endforeach()
set(TOCSIN_LLHTTP_DEPENDENCY "")

find_library(LLHTTP_LIBRARY NAMES llhttp)
set(unpacked ${PROJECT_SOURCE_DIR}/build/packages/node-llhttp/usr/share)
find_path(LLHTTP_INCLUDE_DIR NAMES llhttp.h PATH_SUFFIXES llhttp
  PATHS ${unpacked}/include /usr/share/include)
find_path(LLHTTP_SOURCE_DIR NAMES llhttp.c PATHS ${unpacked}/llhttp /usr/share/llhttp)
mark_as_advanced(LLHTTP_LIBRARY LLHTTP_INCLUDE_DIR LLHTTP_SOURCE_DIR)

if(LLHTTP_LIBRARY AND LLHTTP_INCLUDE_DIR)
  add_library(tocsin_llhttp INTERFACE)
  target_link_libraries(tocsin_llhttp INTERFACE ${LLHTTP_LIBRARY})
  set(scope INTERFACE)
elseif(LLHTTP_SOURCE_DIR AND LLHTTP_INCLUDE_DIR)
  add_library(tocsin_llhttp STATIC
    ${LLHTTP_SOURCE_DIR}/api.c ${LLHTTP_SOURCE_DIR}/http.c ${LLHTTP_SOURCE_DIR}/llhttp.c)
  target_compile_options(tocsin_llhttp PRIVATE -O2)
  set_target_properties(tocsin_llhttp PROPERTIES POSITION_INDEPENDENT_CODE ON)
  set(TOCSIN_LLHTTP_NAME tocsin_llhttp)
  set(TOCSIN_LLHTTP_COPYRIGHT ${LLHTTP_SOURCE_DIR}/../doc/node-llhttp/copyright)
  set(scope PUBLIC)
else()
  message(FATAL_ERROR "llhttp not found: `tools/install-packages build` brings it (libllhttp-dev; on "
    "Debian 12 the C sources of node-llhttp, unpacked below build/packages)")
endif()
target_include_directories(tocsin_llhttp SYSTEM
  ${scope} $<BUILD_INTERFACE:${LLHTTP_INCLUDE_DIR}>)
set_target_properties(tocsin_llhttp PROPERTIES EXPORT_NAME llhttp)
add_library(llhttp::llhttp ALIAS tocsin_llhttp)
install(TARGETS tocsin_llhttp EXPORT client COMPONENT dev
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
