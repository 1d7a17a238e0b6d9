"""Every limit on what a caller may send; the protos' comments state the same numbers."""

from moorage_server.domain import selectors

PAGE_SIZE_DEFAULT = 100
PAGE_SIZE_MAXIMUM = 1000
PAGE_TOKEN_LENGTH = 1024
PAGE_BYTES = 2 * 1024 * 1024  # half of what gRPC clients accept unless told otherwise

NAME_LENGTH = 253  # pools, reservations, nodes: a DNS-1123 subdomain
VRF_LENGTH = 63  # a DNS-1123 label
TEXT_LENGTH = 253  # workload names, owner keys
UID_LENGTH = 128
DESCRIPTION_LENGTH = 256

NETWORK_LENGTH = 128
CONTAINER_ID_LENGTH = 128
INTERFACE_LENGTH = 15
BOOT_ID_LENGTH = 64
EPOCH_LENGTH = 64

ADDRESSES_PER_REQUEST = 8
POOLS_PER_REQUEST = 16
CANDIDATES_PER_REQUEST = 16
GENERATIONS_PER_REQUEST = 16
WAIT_SECONDS = 60
STICKY_SECONDS = 90 * 24 * 3600
ADDRESSES_PER_ADOPTION = 1024  # a larger block is adopted in several calls
ATTACHMENTS_PER_LIST = 4096
GRACE_SECONDS = 86_400

LABELS = 32
LABEL_KEY_LENGTH = 63
LABEL_VALUE_LENGTH = 256
OBJECT_LABELS = 1024  # labels of nodes and namespaces, which are Kubernetes' to choose
OBJECT_LABEL_KEY_LENGTH = 317

CIDR_LENGTH = 48
SELECTOR_LENGTH = selectors.CANONICAL_LIMIT  # of canonical text; of any other, half of it
PARSED_LENGTH = 1024  # of any other text that is parsed
CIDRS_PER_RESERVATION = 256
NAMESPACES_PER_POOL = 256
GRANTS_PER_VRF = 256
CIDRS_PER_GRANT = 16  # with the one above, 4096: read with every change of the VRF
QUOTAS_PER_VRF = 1024
QUOTA_ADDRESSES = 1_000_000_000
ADDRESSES_PER_OWNED_CIDR = 256  # they are looked through with each of its owner's requests
EXCLUDED_RANGES = 64
ROUTES = 32
DNS_ENTRIES = 8
PRIORITY = 1000
BLOCKS_PER_NODE = 1_000_000
COOLDOWN_SECONDS = 1200
HISTORY_RETENTION_DAYS = 36_500
WINDOW_DAYS = 90
WINDOW_DAYS_DEFAULT = 14
