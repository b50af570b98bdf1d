# Run at install time (package.cmake): documents, as a package has them.
# `source`: the project; `scratch`: a build folder; `package`: whose documents; `docdir`, `datadir`,
# `mandir`: below the prefix; `files`: paths below `source`, each installed below `docdir` as the entry
# of `names` in its place says; `program`: the one that describes itself, or empty; `version`,
# `maintainer`: of the Debian changelog; `git`: or empty.

cmake_minimum_required(VERSION 3.25)  # policies: an installation starts without

# Installations may run at the same time, as tests do.
string(RANDOM LENGTH 12 random)
string(APPEND scratch "/${random}")

# A link to what is installed nowhere becomes its text. The brackets are masked, since CMake's lists
# take them for their own.
function(copy_document name file)
  if(NOT file MATCHES "\\.md$")
    configure_file("${source}/${file}" "${scratch}/doc/${name}" COPYONLY)
    return()
  endif()
  file(READ "${source}/${file}" text)
  string(ASCII 1 open)
  string(ASCII 2 close)
  string(ASCII 3 semicolon)
  string(REPLACE "[" "${open}" text "${text}")
  string(REPLACE "]" "${close}" text "${text}")
  string(REPLACE ";" "${semicolon}" text "${text}")
  cmake_path(GET file PARENT_PATH folder)
  string(REGEX MATCHALL "${close}\\([^) \n]+\\)" links "${text}")
  list(REMOVE_DUPLICATES links)
  foreach(link IN LISTS links)
    string(REGEX REPLACE "^.\\((.*)\\)$" "\\1" target "${link}")
    if(target MATCHES "^([a-z]+:|#)")
      continue()
    endif()
    string(REGEX REPLACE "#.*" "" path "${target}")
    cmake_path(APPEND folder "${path}" OUTPUT_VARIABLE path)
    cmake_path(NORMAL_PATH path)
    if(NOT path IN_LIST files OR NOT path IN_LIST names)
      string(REGEX REPLACE "([][+.*()^$?|\\])" "\\\\\\1" pattern "${target}")
      string(REGEX REPLACE "!?${open}([^${close}]*)${close}\\(${pattern}\\)" "\\1" text "${text}")
    endif()
  endforeach()
  string(REPLACE "${semicolon}" ";" text "${text}")
  string(REPLACE "${close}" "]" text "${text}")
  string(REPLACE "${open}" "[" text "${text}")
  file(WRITE "${scratch}/doc/${name}" "${text}")
endfunction()

function(compress)
  execute_process(COMMAND gzip -9nf ${ARGN} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

# The commit's date, so that the same commit gives the same package (or SOURCE_DATE_EPOCH's).
function(write_changelog)
  set(date "")
  if(git AND EXISTS "${source}/.git")
    execute_process(COMMAND ${git} -C ${source} log -1 --format=%cD
      OUTPUT_VARIABLE date OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  endif()
  if(NOT date)
    string(TIMESTAMP date "%a, %d %b %Y %H:%M:%S +0000" UTC)
  endif()
  configure_file(${source}/tools/cmake/debian/changelog.in ${scratch}/doc/changelog.Debian @ONLY)
  configure_file(${source}/CHANGELOG.md ${scratch}/doc/changelog COPYONLY)
  compress(${scratch}/doc/changelog.Debian ${scratch}/doc/changelog)
endfunction()

foreach(file name IN ZIP_LISTS files names)
  copy_document(${name} ${file})
endforeach()
configure_file(${source}/tools/cmake/debian/copyright ${scratch}/doc/copyright COPYONLY)
write_changelog()
file(INSTALL ${scratch}/doc/ DESTINATION ${CMAKE_INSTALL_PREFIX}/${docdir})
if(program)
  execute_process(COMMAND ${program} documents ${scratch}/share COMMAND_ERROR_IS_FATAL ANY)
  file(GLOB pages ${scratch}/share/man/man1/*.1)
  compress(${pages})
  file(INSTALL ${scratch}/share/man/ DESTINATION ${CMAKE_INSTALL_PREFIX}/${mandir})
  file(INSTALL ${scratch}/share/bash-completion ${scratch}/share/fish ${scratch}/share/zsh
    DESTINATION ${CMAKE_INSTALL_PREFIX}/${datadir})
endif()
file(REMOVE_RECURSE ${scratch})
