"""`recompose-eval` or `python -m eval`."""


def main() -> None:
    """Run the command line on the arguments of this process."""
    from eval.cli.app import app

    app()


if __name__ == "__main__":
    main()
