# The layers as libraries for other programs (net/README.md says how they are used).
#
#   tocsin_library(NAME HEADERS FILE...)
#
# makes tocsin_NAME, a static library of this directory's, what find_package(tocsin) calls
# tocsin::NAME. HEADERS are the public ones, a file set: users include <tocsin/net/server.h>, so do
# the examples here, and the project itself "net/server.h". Both find the same file.

# Debian keeps an architecture's libraries apart (/usr/lib/x86_64-linux-gnu), where its compilers and
# pkg-config look, below every prefix; CMake does so only where the prefix is /usr when it configures.
if(EXISTS /etc/debian_version AND CMAKE_LIBRARY_ARCHITECTURE AND NOT DEFINED CMAKE_INSTALL_LIBDIR)
  set(CMAKE_INSTALL_LIBDIR lib/${CMAKE_LIBRARY_ARCHITECTURE} CACHE PATH "Libraries, below the prefix")
endif()
include(GNUInstallDirs)
set(TOCSIN_PUBLIC_INCLUDE_DIR ${PROJECT_BINARY_DIR}/include)

function(tocsin_library name)
  cmake_parse_arguments(arg "" "EXPORT" "HEADERS" ${ARGN})
  set(target tocsin_${name})
  target_link_libraries(${target} PUBLIC $<BUILD_INTERFACE:tocsin_flags>)
  target_compile_features(${target} PUBLIC cxx_std_23)
  # It may become part of a shared library; but nobody replaces its functions there.
  target_compile_options(${target} PRIVATE -fno-semantic-interposition)
  set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE ON EXPORT_NAME ${name})
  add_library(tocsin::${name} ALIAS ${target})

  cmake_path(GET CMAKE_CURRENT_SOURCE_DIR FILENAME layer)
  file(MAKE_DIRECTORY ${TOCSIN_PUBLIC_INCLUDE_DIR}/tocsin)
  file(CREATE_LINK ${CMAKE_CURRENT_SOURCE_DIR} ${TOCSIN_PUBLIC_INCLUDE_DIR}/tocsin/${layer} SYMBOLIC)
  list(TRANSFORM arg_HEADERS PREPEND ${TOCSIN_PUBLIC_INCLUDE_DIR}/tocsin/${layer}/)
  target_sources(${target} PUBLIC
    FILE_SET HEADERS BASE_DIRS ${TOCSIN_PUBLIC_INCLUDE_DIR} FILES ${arg_HEADERS})
  install(TARGETS ${target} EXPORT ${arg_EXPORT} COMPONENT dev
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
    FILE_SET HEADERS DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
endfunction()
