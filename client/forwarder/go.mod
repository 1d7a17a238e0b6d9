module moorage.dev/forwarder

go 1.21
