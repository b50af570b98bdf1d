# Run at install time (package.cmake): what was stripped from the program, where debuggers look for it
# by the program's build id. `program`: unstripped; `objcopy`, `readelf`: the programs.
cmake_minimum_required(VERSION 3.25)  # policies: an installation starts without
execute_process(COMMAND ${CMAKE_COMMAND} -E env LC_ALL=C ${readelf} -n ${program}
  OUTPUT_VARIABLE notes COMMAND_ERROR_IS_FATAL ANY)
if(NOT notes MATCHES "Build ID: ([0-9a-f][0-9a-f])([0-9a-f]+)")
  message(FATAL_ERROR "${program} has no build id")
endif()
set(folder "$ENV{DESTDIR}${CMAKE_INSTALL_PREFIX}/lib/debug/.build-id/${CMAKE_MATCH_1}")
set(file "${folder}/${CMAKE_MATCH_2}.debug")
message(STATUS "Installing: ${file}")
file(MAKE_DIRECTORY ${folder})
execute_process(COMMAND ${objcopy} --only-keep-debug ${program} ${file} COMMAND_ERROR_IS_FATAL ANY)
file(CHMOD ${file} PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)
