# Install rules in two components, `program` and `dev` (the libraries of library.cmake), and a Debian
# package of each: `cmake --install DIR [--component NAME]`, `cmake --build DIR --target package`.
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
install(FILES ${PROJECT_SOURCE_DIR}/README.md ${PROJECT_SOURCE_DIR}/CHANGELOG.md
  DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT program)
install(FILES ${tocsin_systemd}/README.md
  DESTINATION ${CMAKE_INSTALL_DOCDIR} RENAME systemd.md COMPONENT program)
# The name that Debian's policy asks for.
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE
  DESTINATION ${CMAKE_INSTALL_DOCDIR} RENAME copyright COMPONENT program)

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
set(tocsin_dev_docs ${CMAKE_INSTALL_DATADIR}/doc/libtocsin-dev)
install(FILES ${PROJECT_SOURCE_DIR}/net/README.md DESTINATION ${tocsin_dev_docs} COMPONENT dev)
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE
  DESTINATION ${tocsin_dev_docs} RENAME copyright COMPONENT dev)

set(CPACK_GENERATOR DEB)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_ALL program dev)
set(CPACK_PACKAGE_NAME tocsin)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_NAME tocsin)
set(CPACK_DEBIAN_DEV_PACKAGE_NAME libtocsin-dev)
set(CPACK_PACKAGE_VENDOR "The Tocsin authors")
set(CPACK_PACKAGE_CONTACT "The Tocsin authors <tocsin@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "hub for Server-Sent-Events streams")
set(CPACK_COMPONENT_PROGRAM_DESCRIPTION
  "Publishers POST events, browsers and services hold open event streams, and
every event reaches every subscriber of its topic, once and in order.
Clients that were away resume where they were. Built for very many
subscribers on one machine.")
set(CPACK_COMPONENT_DEV_DESCRIPTION
  "Headers and static libraries for programs that embed the hub, or that
read event streams.")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SECTION net)
set(CPACK_DEBIAN_DEV_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SHLIBDEPS ON)
# What tocsinConfig.cmake looks for.
set(CPACK_DEBIAN_DEV_PACKAGE_DEPENDS
  "libssl-dev, libsimdjson-dev, libfmt-dev, libspdlog-dev, prometheus-cpp-dev, liburing-dev, \
libsodium-dev, pkg-config")
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
