#!/bin/sh
# Builds kube-apiserver and kubelet from Debian's source package into DIRECTORY, where they are not
# there yet. It needs apt-get with Debian's sources, dpkg-deb, and twelve minutes of one core; it
# installs nothing, and keeps nothing but the two programs.
#
# usage: build_kubernetes.sh DIRECTORY
set -eu

# The source package is the whole tree of 1.20.2, with what it vendors.
TARBALL=kubernetes_1.20.5+really1.20.2.orig.tar.gz
TARBALL_SHA256=b83c0780efb182d928dc63d46488a847f161f04e40a94b96bf5247dd671ecdfc
GO=golang-1.19

target=$1
mkdir -p "$target"
target=$(cd "$target" && pwd)
exec 9>"$target/lock"
flock 9
test -x "$target/kubelet" && test -x "$target/kube-apiserver" && exit 0

work=$(mktemp -d "$target/build.XXXXXX")
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
cd "$work"

# Lists of our own: the system's may lack the sources, and are not ours to change.
mkdir -p lists/partial archives/partial sources
cp /etc/apt/sources.list.d/*.sources sources/ 2>/dev/null || true
for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
    if test -f "$file"; then sed -n 's/^deb \(.*\)/deb \1\ndeb-src \1/p' "$file" > "sources/$(basename "$file" .list).list"; fi
done
find sources -name '*.sources' -exec sed -i 's/^Types: *deb *$/Types: deb deb-src/' {} +
own_apt_get() {
    apt-get -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$work/sources" \
        -o Dir::State::Lists="$work/lists" -o Dir::Cache="$work" -o APT::Sandbox::User=root "$@"
}
own_apt_get update
own_apt_get download "$GO-go" "$GO-src" golang-github-modern-go-reflect2-dev
own_apt_get source --download-only kubernetes
echo "$TARBALL_SHA256  $TARBALL" | sha256sum -c -
for package in *.deb; do dpkg-deb -x "$package" root; done
rm -- *.deb

export GO111MODULE=off GOFLAGS= GOPATH="$work/go" GOCACHE="$work/gocache" CGO_ENABLED=0
export GOROOT="$work/root/usr/lib/go-1.19" PATH="$work/root/usr/lib/go-1.19/bin:$PATH"
tree=go/src/k8s.io/kubernetes
mkdir -p "$tree"
tar xzf "$TARBALL" -C "$tree" --strip-components=1
cd "$tree"

# The vendored reflect2 crashes on maps when built with Go 1.18 or later; Debian's does not.
rm -rf vendor/github.com/modern-go/reflect2
cp -rL "$work/root/usr/share/gocode/src/github.com/modern-go/reflect2" vendor/github.com/modern-go/

# The one generated file that the tarball lacks.
go build -o "$work/openapi-gen" ./vendor/k8s.io/kube-openapi/cmd/openapi-gen
packages=$(grep -rl --include=*.go -E '^// ?\+k8s:openapi-gen=' . \
    | grep -vE '_test\.go|/testdata/|^./staging/src/k8s.io/(sample|code-generator)|^./test/|kube-openapi' \
    | xargs -n1 dirname | sort -u \
    | sed -e 's,^\./staging/src/,k8s.io/kubernetes/vendor/,; s,^\./vendor/,k8s.io/kubernetes/vendor/,; s,^\./,k8s.io/kubernetes/,' \
    | paste -sd,)
"$work/openapi-gen" -i "$packages" -p k8s.io/kubernetes/pkg/generated/openapi -O zz_generated.openapi \
    -h hack/boilerplate/boilerplate.generatego.txt -r "$work/violations" --output-base "$GOPATH/src"

go build -ldflags '-s -w' -o "$work/" ./cmd/kube-apiserver ./cmd/kubelet
mv "$work/kube-apiserver" "$work/kubelet" "$target/"
