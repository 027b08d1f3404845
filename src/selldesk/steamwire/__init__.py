"""What crosses Steam's wire, for both ends: protobuf codec, guard codes, confirmation keys, trade links, enums. Pure."""
