"""What an operator must see and no other service tells: rules over what the platform shows of itself."""
