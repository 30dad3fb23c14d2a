"""What every other room needs: messages, argument checks, files."""
