module cijob.dev/hack/components/pause

go 1.25
