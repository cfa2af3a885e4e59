#!/bin/bash
# Builds the Debian package: deb.sh BINARY FOLDER [REVISION]; prints its name.
#
# The dependencies are those of the libraries that the program is linked with. SOURCE_DATE_EPOCH
# makes the same package from the same files.
set -eu -o pipefail
binary=$(readlink -f "$1") folder=$2 revision=${3:-1}
here=$(dirname "$(readlink -f "$0")")
for tool in dpkg-deb dpkg-shlibdeps python3; do
    command -v $tool >/dev/null || { echo "deb: $tool is missing: apt-get install dpkg-dev python3" >&2; exit 69; }
done
! ldd "$binary" | grep -q libswiftCore.so || {
    echo "deb: $binary needs libraries of Swift, which Debian does not have; use that of 'make build'" >&2
    exit 64
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
stage=$work/stage
mkdir -p "$stage/DEBIAN" "$stage/etc/pathwise" "$work/debian" "$folder"
chmod 0755 "$work" "$stage"
"$here/stage.sh" "$binary" "$stage" /usr
strip --strip-unneeded "$stage/usr/bin/pathwise"

# The service has its state below /var/lib; so has 'pathwise invite', by this file.
"$binary" config example serve | sed 's/^#state = /state = /' >"$stage/etc/pathwise/serve.toml"
"$binary" config check "$stage/etc/pathwise/serve.toml" >/dev/null
echo /etc/pathwise/serve.toml >"$stage/DEBIAN/conffiles"

version=$("$binary" --version)-$revision
architecture=$(dpkg --print-architecture)
printf 'Source: pathwise\n\nPackage: pathwise\nArchitecture: any\n' >"$work/debian/control"
depends=$(cd "$work" && dpkg-shlibdeps -O "$stage/usr/bin/pathwise" 2>/dev/null | sed 's/^shlibs:Depends=//')
size=$(du -ks --exclude=DEBIAN "$stage" | cut -f1)
sed -e "s/@version@/$version/" -e "s/@architecture@/$architecture/" -e "s/@size@/$size/" \
    -e "s/@depends@/$depends/" "$here/debian/control.in" >"$stage/DEBIAN/control"
for script in postinst prerm postrm; do
    install -m 0755 "$here/debian/$script" "$stage/DEBIAN/$script"
done
(cd "$stage" && find . -type f ! -path './DEBIAN/*' -printf '%P\0' | LC_ALL=C sort -z | xargs -0 md5sum) \
    >"$stage/DEBIAN/md5sums"
chmod 0644 "$stage/etc/pathwise/serve.toml" "$stage"/DEBIAN/{control,conffiles,md5sums}
find "$stage" -type d -exec chmod 0755 {} +
package=$folder/pathwise_${version}_$architecture.deb
dpkg-deb --root-owner-group -Zxz --build "$stage" "$package" >/dev/null
echo "$package"
