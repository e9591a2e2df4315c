# graphscope without TensorFlow: looks at models, freezes and converts them.
#   docker build -t graphscope .
#   docker run --rm -v "$PWD:/models" graphscope info model.pb
FROM python:3.12-slim AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE CHANGELOG.md tf_graphscope.py ./
COPY graphscope graphscope
RUN pip install --no-cache-dir --prefix=/install .

FROM python:3.12-slim
COPY --from=build /install /usr/local
RUN useradd --create-home graphscope
USER graphscope
WORKDIR /models
ENTRYPOINT ["graphscope"]
CMD ["--help"]
