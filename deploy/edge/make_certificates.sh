#!/usr/bin/env bash
# Make the certificates of one site: its authority, the machine's own, and one for each scanner or person.
#
#   make_certificates.sh FOLDER SITE HOST [NAME ...]
#
#   FOLDER  where they go, as PEM: authority.pem, machine.pem, machine.key, and NAME.pem and NAME.key of each name
#   SITE    as in the sites file; every certificate names it (URI:urn:echoplane:site:SITE)
#   HOST    under which scanners and clients reach the machine, a DNS name or an address
#   NAME    of a scanner, an archive or a person, at will: small letters, digits and hyphens
#
# Run again it keeps the authority, and renews the machine's certificate and those that are named: afterwards restart
# the service. Certificates hold for DAYS days (730). Whoever has authority.key can make certificates for the site, so
# keep it away from the machine.
set -euo pipefail
umask 077

die() {
    echo "error: $*" >&2
    exit 2
}

[[ $# -ge 3 ]] || die "found $# arguments; expected FOLDER SITE HOST [NAME ...]"
folder=$1 site=$2 host=$3
shift 3
days=${DAYS:-730}
for word in "$site" "$@"; do
    [[ $word =~ ^[a-z0-9][a-z0-9-]{0,31}$ ]] || die "found '$word'; expected small letters, digits and hyphens"
    [[ $word != authority && $word != machine ]] || die "found '$word', which is taken; expected another name"
done
mkdir -p "$folder"
cd "$folder"
parts=$(mktemp -d)
trap 'rm -rf "$parts"' EXIT

new_key() { openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1"; }

# issue NAME USAGE ALTERNATIVE_NAMES: a key and a certificate that the authority has signed; both at once or neither
issue() {
    new_key "$parts/key"
    openssl req -new -key "$parts/key" -subj "/O=Echoplane $site/CN=$1" -out "$parts/request"
    printf '%s\n' "basicConstraints=critical,CA:false" "keyUsage=critical,digitalSignature" "extendedKeyUsage=$2" \
        "subjectAltName=$3" "subjectKeyIdentifier=hash" "authorityKeyIdentifier=keyid" >"$parts/extensions"
    openssl x509 -req -in "$parts/request" -CA authority.pem -CAkey authority.key -days "$days" -sha256 \
        -set_serial "0x$(openssl rand -hex 16)" -extfile "$parts/extensions" -out "$parts/certificate" 2>/dev/null
    openssl verify -CAfile authority.pem "$parts/certificate" >/dev/null
    mv "$parts/key" "$1.key"
    mv "$parts/certificate" "$1.pem"
    echo "$1.pem: $(openssl x509 -in "$1.pem" -noout -enddate | cut -d= -f2)"
}

if [[ ! -e authority.key ]]; then
    [[ ! -e authority.pem ]] || die "found authority.pem without authority.key; expected both; bring the key back"
    new_key authority.key
    openssl req -x509 -new -key authority.key -days 3650 -sha256 -subj "/O=Echoplane $site/CN=authority" \
        -addext "basicConstraints=critical,CA:true,pathlen:0" -addext "keyUsage=critical,keyCertSign,cRLSign" \
        -out authority.pem
fi

uri=URI:urn:echoplane:site:$site
if [[ $host =~ ^[0-9.]+$ || $host == *:* ]]; then named=IP:$host; else named=DNS:$host; fi
issue machine serverAuth,clientAuth "$uri,DNS:localhost,IP:127.0.0.1,$named"
for name in "$@"; do
    issue "$name" clientAuth "$uri"
done
