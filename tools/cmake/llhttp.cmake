# llhttp: a system library where there is one (newer distributions), else Debian's node-llhttp, which
# ships the generated C sources; they become a static target of ours. Either way: llhttp::llhttp.
find_package(llhttp QUIET CONFIG)
if(TARGET llhttp::llhttp)
  return()
endif()
foreach(candidate llhttp::llhttp_shared llhttp::llhttp_static)
  if(TARGET ${candidate})
    add_library(llhttp::llhttp ALIAS ${candidate})
    return()
  endif()
endforeach()

find_library(LLHTTP_LIBRARY NAMES llhttp)
find_path(LLHTTP_INCLUDE_DIR NAMES llhttp.h PATH_SUFFIXES llhttp
  PATHS /usr/include /usr/share/include)
find_path(LLHTTP_SOURCE_DIR NAMES llhttp.c PATHS /usr/share/llhttp /usr/share/nodejs/llhttp/src)
mark_as_advanced(LLHTTP_LIBRARY LLHTTP_INCLUDE_DIR LLHTTP_SOURCE_DIR)

if(LLHTTP_LIBRARY AND LLHTTP_INCLUDE_DIR)
  add_library(llhttp_system INTERFACE)
  target_link_libraries(llhttp_system INTERFACE ${LLHTTP_LIBRARY})
  target_include_directories(llhttp_system SYSTEM INTERFACE ${LLHTTP_INCLUDE_DIR})
  add_library(llhttp::llhttp ALIAS llhttp_system)
elseif(LLHTTP_SOURCE_DIR AND LLHTTP_INCLUDE_DIR)
  add_library(llhttp_debian STATIC
    ${LLHTTP_SOURCE_DIR}/api.c ${LLHTTP_SOURCE_DIR}/http.c ${LLHTTP_SOURCE_DIR}/llhttp.c)
  target_include_directories(llhttp_debian SYSTEM PUBLIC ${LLHTTP_INCLUDE_DIR})
  target_compile_options(llhttp_debian PRIVATE -O2)
  set_target_properties(llhttp_debian PROPERTIES POSITION_INDEPENDENT_CODE ON)
  add_library(llhttp::llhttp ALIAS llhttp_debian)
else()
  message(FATAL_ERROR "llhttp not found: install libllhttp-dev, or on Debian 12 node-llhttp")
endif()
