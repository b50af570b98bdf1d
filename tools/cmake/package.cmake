# Install rules and the Debian package: `cmake --install DIR`, `cmake --build DIR --target package`.
include(GNUInstallDirs)

install(TARGETS tocsin RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
# The unit names the program and its configuration, and /etc is not below /usr: the prefix decides,
# which `cmake --install` and CPack may set themselves.
set(tocsin_systemd ${PROJECT_SOURCE_DIR}/systemd)
install(CODE "
  set(source ${tocsin_systemd})
  set(bin ${CMAKE_INSTALL_BINDIR})
  set(scratch ${CMAKE_CURRENT_BINARY_DIR})
  include(${PROJECT_SOURCE_DIR}/tools/cmake/install_service.cmake)")
install(FILES ${tocsin_systemd}/90-tocsin.conf DESTINATION ${CMAKE_INSTALL_DATADIR}/tocsin)
install(FILES ${PROJECT_SOURCE_DIR}/README.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES ${tocsin_systemd}/README.md DESTINATION ${CMAKE_INSTALL_DOCDIR} RENAME systemd.md)
install(FILES ${PROJECT_SOURCE_DIR}/CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
# The name that Debian's policy asks for.
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} RENAME copyright)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME tocsin)
set(CPACK_PACKAGE_VENDOR "The Tocsin authors")
set(CPACK_PACKAGE_CONTACT "The Tocsin authors <tocsin@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "hub for Server-Sent-Events streams")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
  "Publishers POST events, browsers and services hold open event streams, and
every event reaches every subscriber of its topic, once and in order.
Clients that were away resume where they were. Built for very many
subscribers on one machine.")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA
  ${PROJECT_SOURCE_DIR}/tools/cmake/debian/conffiles
  ${PROJECT_SOURCE_DIR}/tools/cmake/debian/postinst
  ${PROJECT_SOURCE_DIR}/tools/cmake/debian/prerm
  ${PROJECT_SOURCE_DIR}/tools/cmake/debian/postrm)
include(CPack)
