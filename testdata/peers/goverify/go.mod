module peerctl.test/goverify

go 1.26
