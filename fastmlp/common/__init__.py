"""What every other package needs: messages, argument checks, files."""
