module peerctl.test/gotls

go 1.19
