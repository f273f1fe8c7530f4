module partywall.dev/bundle/pause

go 1.24
