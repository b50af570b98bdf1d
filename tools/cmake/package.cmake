# Install rules in three components, and a Debian package of each: `program`, `dev` (the libraries of
# library.cmake), and, only when it is named, `debug`, what stripping takes from the program.
# `cmake --install DIR [--component NAME]`, `cmake --build DIR --target package`.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

install(TARGETS tocsin RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT program)
# The unit names the program and its configuration, and /etc is not below /usr: the prefix decides,
# which `cmake --install` and CPack may set themselves.
set(tocsin_systemd ${PROJECT_SOURCE_DIR}/systemd)
install(CODE "
  set(source ${tocsin_systemd})
  set(bin ${CMAKE_INSTALL_BINDIR})
  set(scratch ${CMAKE_CURRENT_BINARY_DIR})
  include(${PROJECT_SOURCE_DIR}/tools/cmake/install_service.cmake)"
  COMPONENT program)
install(FILES ${tocsin_systemd}/90-tocsin.conf
  DESTINATION ${CMAKE_INSTALL_DATADIR}/tocsin COMPONENT program)
install(DIRECTORY ${tocsin_systemd}/monitoring
  DESTINATION ${CMAKE_INSTALL_DATADIR}/tocsin COMPONENT program)

# Whose package it is, as Debian's own tools ask for it.
set(tocsin_maintainer "The Tocsin authors <tocsin@example.org>")
if(DEFINED ENV{DEBFULLNAME} AND DEFINED ENV{DEBEMAIL})
  set(tocsin_maintainer "$ENV{DEBFULLNAME} <$ENV{DEBEMAIL}>")
endif()
# Older than what Debian itself would make of this version.
set(CPACK_DEBIAN_PACKAGE_RELEASE 0upstream1)

# tocsin_install_documents(COMPONENT PACKAGE PROGRAM [EXCLUDE_FROM_ALL] [FILES FILE... NAMES NAME...])
# installs the project's FILEs as /usr/share/doc/PACKAGE/NAME, its copyright and its changelogs, and
# what PROGRAM (if not empty) says of itself: manual pages, completion.
find_package(Git QUIET)
function(tocsin_install_documents component package program)
  cmake_parse_arguments(arg "" "" "FILES;NAMES" ${ARGN})
  install(CODE "
    set(source [[${PROJECT_SOURCE_DIR}]])
    set(scratch [[${PROJECT_BINARY_DIR}/installed/${package}]])
    set(package ${package})
    set(docdir ${CMAKE_INSTALL_DATADIR}/doc/${package})
    set(datadir ${CMAKE_INSTALL_DATADIR})
    set(mandir ${CMAKE_INSTALL_MANDIR})
    set(files [[${arg_FILES}]])
    set(names [[${arg_NAMES}]])
    set(program [[${program}]])
    set(version ${PROJECT_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE})
    set(maintainer [[${tocsin_maintainer}]])
    set(git [[${GIT_EXECUTABLE}]])
    include([[${PROJECT_SOURCE_DIR}/tools/cmake/install_documents.cmake]])"
    COMPONENT ${component} ${arg_UNPARSED_ARGUMENTS})
endfunction()
file(GLOB docs RELATIVE ${PROJECT_SOURCE_DIR} docs/*.md)
set(documents README.md ARCHITECTURE.md DECISIONS.md ${docs}
  bench/README.md bench/FIGURES.md bench/figures/growth.svg net/README.md
  systemd/README.md tools/load/README.md)
tocsin_install_documents(program tocsin $<TARGET_FILE:tocsin>
  FILES tools/cmake/debian/README.Debian ${documents}
  NAMES README.Debian ${documents})
tocsin_install_documents(dev libtocsin-dev "" FILES net/README.md NAMES README.md)
tocsin_install_documents(debug tocsin-dbgsym "" EXCLUDE_FROM_ALL)
install(CODE "
  set(program [[$<TARGET_FILE:tocsin>]])
  set(objcopy [[${CMAKE_OBJCOPY}]])
  set(readelf [[${CMAKE_READELF}]])
  include([[${PROJECT_SOURCE_DIR}/tools/cmake/install_debug.cmake]])"
  COMPONENT debug EXCLUDE_FROM_ALL)

set(tocsin_cmake_dir ${CMAKE_INSTALL_LIBDIR}/cmake/tocsin)
foreach(export client hub)
  install(EXPORT ${export} FILE tocsin-${export}.cmake NAMESPACE tocsin::
    DESTINATION ${tocsin_cmake_dir} COMPONENT dev)
endforeach()
configure_package_config_file(tools/cmake/tocsinConfig.cmake.in tocsinConfig.cmake
  INSTALL_DESTINATION ${tocsin_cmake_dir} NO_SET_AND_CHECK_MACRO NO_CHECK_REQUIRED_COMPONENTS_MACRO)
write_basic_package_version_file(tocsinConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/tocsinConfig.cmake ${PROJECT_BINARY_DIR}/tocsinConfigVersion.cmake
  DESTINATION ${tocsin_cmake_dir} COMPONENT dev)
file(RELATIVE_PATH TOCSIN_PREFIX_FROM_PC /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
configure_file(tools/cmake/tocsin.pc.in tocsin.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/tocsin.pc
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT dev)
install(CODE "
  set(headers \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_INCLUDEDIR}/tocsin\")
  set(libraries \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_LIBDIR}\")
  set(strip ${CMAKE_STRIP})
  include(${PROJECT_SOURCE_DIR}/tools/cmake/install_library.cmake)"
  COMPONENT dev)

set(CPACK_GENERATOR DEB)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_ALL program dev debug)
set(CPACK_PACKAGE_NAME tocsin)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_NAME tocsin)
set(CPACK_DEBIAN_DEV_PACKAGE_NAME libtocsin-dev)
set(CPACK_DEBIAN_DEBUG_PACKAGE_NAME tocsin-dbgsym)
set(CPACK_PACKAGE_VENDOR "The Tocsin authors")
set(CPACK_PACKAGE_CONTACT "${tocsin_maintainer}")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "hub for Server-Sent-Events streams")
set(CPACK_COMPONENT_PROGRAM_DESCRIPTION
  "Publishers POST events, browsers and services hold open event streams, and
every event reaches every subscriber of its topic, once and in order.
Clients that were away resume where they were. Built for very many
subscribers on one machine.")
set(CPACK_COMPONENT_DEV_DESCRIPTION
  "Headers and static libraries for programs that embed the hub, or that
read event streams.")
set(CPACK_COMPONENT_DEBUG_DESCRIPTION
  "What debuggers and profilers need to name functions and lines of tocsin.")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SECTION net)
set(CPACK_DEBIAN_DEV_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEBUG_PACKAGE_SECTION debug)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SHLIBDEPS ON)
# Whom https URLs trust: an issuer's keys, a webhook, a hub of the clients'.
set(CPACK_DEBIAN_PROGRAM_PACKAGE_RECOMMENDS ca-certificates)
set(CPACK_DEBIAN_DEBUG_PACKAGE_DEPENDS
  "tocsin (= ${PROJECT_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE})")
# What tocsinConfig.cmake looks for.
set(CPACK_DEBIAN_DEV_PACKAGE_DEPENDS
  "libssl-dev, libsimdjson-dev, libfmt-dev, libspdlog-dev, prometheus-cpp-dev, liburing-dev, \
libsodium-dev, libsqlite3-dev, pkgconf")
if(TOCSIN_LLHTTP_DEPENDENCY)  # else it is compiled in
  string(APPEND CPACK_DEBIAN_DEV_PACKAGE_DEPENDS ", libllhttp-dev")
endif()
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_CONTROL_EXTRA
  ${PROJECT_SOURCE_DIR}/tools/cmake/debian/conffiles
  ${PROJECT_SOURCE_DIR}/tools/cmake/debian/postinst
  ${PROJECT_SOURCE_DIR}/tools/cmake/debian/prerm
  ${PROJECT_SOURCE_DIR}/tools/cmake/debian/postrm)
include(CPack)
