# Run at install time (package.cmake): the unit and the configuration, for the prefix in use.
# `source`: the systemd folder; `bin`: where programs go below the prefix; `scratch`: a build folder.
if(CMAKE_INSTALL_PREFIX STREQUAL "/usr")
  set(etc /etc)
else()
  set(etc ${CMAKE_INSTALL_PREFIX}/etc)
endif()
file(READ ${source}/tocsin.service unit)
string(REPLACE "/usr/bin/tocsin" "${CMAKE_INSTALL_PREFIX}/${bin}/tocsin" unit "${unit}")
string(REPLACE "/etc/tocsin/" "${etc}/tocsin/" unit "${unit}")
file(WRITE ${scratch}/installed/tocsin.service "${unit}")
file(INSTALL ${scratch}/installed/tocsin.service
  DESTINATION ${CMAKE_INSTALL_PREFIX}/lib/systemd/system)
file(INSTALL ${source}/tocsin.toml DESTINATION ${etc}/tocsin)
