#!/bin/bash
# Guess: the commands of ExecReload= run as the service does, with its user and in its sandbox, so
#   they can read the credentials of LoadCredential= as it does: a check of the configuration before
#   the signal may look at the same files. At the least "+", full privileges, helps.
# Package: systemd 252.38-1~deb12u1 (Debian 12)
# Seen 2026-11-30: with DynamicUser=yes, or any sandbox that has mounts of its own, they get
#   "Permission denied" in $CREDENTIALS_DIRECTORY, and with "+" it is empty. The reload fails. What
#   helps is to go into the mounts of the service: nsenter --mount --target $MAINPID.
here=$(dirname "$(realpath "$0")")
. "$here/lib"
need dpkg-query
[[ $(dpkg-query --show --showformat='${Version}' systemd) == 252.38-1~deb12u1 ]] ||
  cannot "another release of systemd"
cat >script <<'BOX'
#!/bin/bash
echo 1234 >/root/secret
# try COMMAND: whether a reload by it reads the credential.
try() {
  cat >/etc/systemd/system/probe.service <<UNIT
[Service]
DynamicUser=yes
LoadCredential=secret:/root/secret
ExecStart=sleep 60
ExecReload=$1 /run/credentials/probe.service/secret
UNIT
  systemctl daemon-reload
  systemctl restart probe
  until nsenter --mount --target "$(systemctl show --property=MainPID --value probe)" \
    cat /run/credentials/probe.service/secret >/dev/null 2>&1; do :; done
  systemctl reload probe 2>/dev/null && echo "yes" || echo "no"
  systemctl stop probe
}
seen="as the service: $(try cat); with +: $(try +cat); in its mounts: $(try '+nsenter --mount --target $MAINPID cat')"
echo "$seen"
[[ $seen == "as the service: no; with +: no; in its mounts: yes" ]] && echo "still so" || echo changed
BOX
judge "$here/../tests/systemd/box" script
