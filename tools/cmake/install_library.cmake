# Run at install time (package.cmake), on what was installed. `headers`: its folder `tocsin`; `libraries`:
# the folder with the archives; `strip`: the program.

# Inside the project headers include each other as "net/server.h", in a user's program as
# <tocsin/net/server.h>: no folder `net` must come into its include path.
file(GLOB_RECURSE files ${headers}/*.h)
foreach(file IN LISTS files)
  file(READ ${file} text)
  string(REGEX REPLACE "#include \"([a-z_]+/[a-z_/]+\\.h)\"" "#include <tocsin/\\1>" text "${text}")
  file(WRITE ${file} "${text}")
endforeach()

# CMake strips programs and shared libraries only.
if(CMAKE_INSTALL_DO_STRIP)
  file(GLOB archives ${libraries}/libtocsin_*.a)
  execute_process(COMMAND ${strip} --strip-debug --remove-section=.comment ${archives} COMMAND_ERROR_IS_FATAL ANY)
endif()
