# What is used of OpenSSL 3 (libssl, libcrypto). Declarations alone; names and meaning are those of its manual.
cdef extern from "openssl/ssl.h":
    ctypedef struct SSL:
        pass
    ctypedef struct SSL_CTX:
        pass
    ctypedef struct SSL_METHOD:
        pass
    ctypedef struct X509:
        pass
    ctypedef struct EVP_PKEY:
        pass
    ctypedef struct EVP_CIPHER_CTX:
        pass
    ctypedef struct EVP_CIPHER:
        pass
    ctypedef struct EVP_MAC_CTX:
        pass
    ctypedef struct OSSL_PARAM:
        pass
    ctypedef struct BIO:
        pass
    ctypedef struct BIO_METHOD:
        pass
    ctypedef struct SSL_SESSION:
        pass
    ctypedef struct X509_NAME:
        pass
    ctypedef struct X509_NAMES "STACK_OF(X509_NAME)":
        pass
    ctypedef struct X509_STORE:
        pass
    ctypedef struct X509_VERIFY_PARAM:
        pass
    enum:
        SSL_VERIFY_FAIL_IF_NO_PEER_CERT
        SSL_TICKET_SUCCESS
        SSL_TICKET_SUCCESS_RENEW
        SSL_TICKET_RETURN_IGNORE_RENEW
        SSL_TICKET_RETURN_USE
        SSL_TICKET_RETURN_USE_RENEW
        SSL_ERROR_WANT_READ
        SSL_ERROR_WANT_WRITE
        SSL_ERROR_ZERO_RETURN
        SSL_CLIENT_HELLO_SUCCESS
        SSL_CLIENT_HELLO_ERROR
        SSL_AD_UNRECOGNIZED_NAME
        SSL_AD_INTERNAL_ERROR
        SSL_TLSEXT_ERR_OK
        SSL_TLSEXT_ERR_NOACK
        SSL_TLSEXT_ERR_ALERT_FATAL
        TLSEXT_TYPE_server_name
        TLSEXT_TYPE_application_layer_protocol_negotiation
        TLS1_2_VERSION
        TLS1_3_VERSION
        SSL_MODE_ENABLE_PARTIAL_WRITE
        SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER
        SSL_MODE_RELEASE_BUFFERS
        SSL_SESS_CACHE_OFF
        SSL_SESS_CACHE_CLIENT
        SSL_SESS_CACHE_NO_INTERNAL
        SSL_VERIFY_NONE
        SSL_VERIFY_PEER
        SSL_CB_HANDSHAKE_START
        SSL_CB_WRITE_ALERT
        SSL_SENT_SHUTDOWN
        SSL_RECEIVED_SHUTDOWN
        TLS_ST_SW_SESSION_TICKET
    unsigned long SSL_OP_NO_RENEGOTIATION
    unsigned long SSL_OP_NO_COMPRESSION
    unsigned long SSL_OP_CIPHER_SERVER_PREFERENCE
    unsigned long SSL_OP_PRIORITIZE_CHACHA

    const SSL_METHOD *TLS_server_method()
    const SSL_METHOD *TLS_client_method()
    SSL_CTX *SSL_CTX_new(const SSL_METHOD *)
    void SSL_CTX_free(SSL_CTX *)
    int SSL_CTX_set_min_proto_version(SSL_CTX *, int)
    unsigned long SSL_CTX_set_options(SSL_CTX *, unsigned long)
    long SSL_CTX_set_mode(SSL_CTX *, long)
    long SSL_CTX_set_session_cache_mode(SSL_CTX *, long)
    int SSL_CTX_set_session_id_context(SSL_CTX *, const unsigned char *, unsigned int)
    long SSL_CTX_set_timeout(SSL_CTX *, long)
    void SSL_CTX_set_read_ahead(SSL_CTX *, int)
    int SSL_CTX_set_cipher_list(SSL_CTX *, const char *)
    int SSL_CTX_set_ciphersuites(SSL_CTX *, const char *)
    int SSL_CTX_set1_groups_list(SSL_CTX *, const char *)
    int SSL_CTX_use_certificate(SSL_CTX *, X509 *)
    int SSL_CTX_use_PrivateKey(SSL_CTX *, EVP_PKEY *)
    int SSL_CTX_check_private_key(SSL_CTX *)
    long SSL_CTX_add1_chain_cert(SSL_CTX *, X509 *)
    void SSL_CTX_set_client_hello_cb(SSL_CTX *, int (*)(SSL *, int *, void *) noexcept, void *)
    void SSL_CTX_set_alpn_select_cb(
        SSL_CTX *, int (*)(SSL *, const unsigned char **, unsigned char *, const unsigned char *, unsigned int, void *) noexcept, void *)
    void SSL_CTX_set_info_callback(SSL_CTX *, void (*)(const SSL *, int, int) noexcept)
    int SSL_CTX_set_tlsext_ticket_key_evp_cb(
        SSL_CTX *, int (*)(SSL *, unsigned char *, unsigned char *, EVP_CIPHER_CTX *, EVP_MAC_CTX *, int) noexcept)

    void SSL_CTX_set_verify(SSL_CTX *, int, void *)
    void SSL_CTX_set1_cert_store(SSL_CTX *, X509_STORE *)
    int SSL_CTX_set_alpn_protos(SSL_CTX *, const unsigned char *, unsigned int)     # 0: done
    void SSL_CTX_sess_set_new_cb(SSL_CTX *, int (*)(SSL *, SSL_SESSION *) noexcept)

    SSL *SSL_new(SSL_CTX *)
    void SSL_free(SSL *)
    void SSL_set_bio(SSL *, BIO *, BIO *)
    int SSL_get_state(const SSL *)
    int SSL_set_app_data(SSL *, void *)
    void *SSL_get_app_data(const SSL *)
    void SSL_set_accept_state(SSL *)
    void SSL_set_connect_state(SSL *)
    long SSL_set_tlsext_host_name(SSL *, const char *)
    int SSL_set1_host(SSL *, const char *)
    void SSL_set_hostflags(SSL *, unsigned int)
    X509_VERIFY_PARAM *SSL_get0_param(SSL *)
    int SSL_set_session(SSL *, SSL_SESSION *)
    void SSL_SESSION_free(SSL_SESSION *)
    void SSL_get0_alpn_selected(const SSL *, const unsigned char **, unsigned int *)
    BIO *SSL_get_wbio(const SSL *)
    int SSL_do_handshake(SSL *)
    int SSL_read_ex(SSL *, void *, size_t, size_t *)
    int SSL_peek_ex(SSL *, void *, size_t, size_t *)
    int SSL_write_ex(SSL *, const void *, size_t, size_t *)
    int SSL_get_error(const SSL *, int)
    int SSL_shutdown(SSL *)
    int SSL_get_shutdown(const SSL *)
    int SSL_has_pending(const SSL *)
    void SSL_set_shutdown(SSL *, int)
    int SSL_session_reused(const SSL *)
    void SSL_get0_alpn_selected(const SSL *, const unsigned char **, unsigned int *)
    SSL_CTX *SSL_set_SSL_CTX(SSL *, SSL_CTX *)
    int SSL_client_hello_get0_ext(SSL *, unsigned int, const unsigned char **, size_t *)

    # certificates of clients
    X509_NAMES *SSL_dup_CA_list(const X509_NAMES *)
    void SSL_set_client_CA_list(SSL *, X509_NAMES *)
    void SSL_set_verify(SSL *, int, void *)
    void SSL_set_verify_depth(SSL *, int)
    long SSL_set_max_cert_list(SSL *, long)
    int SSL_set1_verify_cert_store(SSL *, X509_STORE *)
    int SSL_set_session_id_context(SSL *, const unsigned char *, unsigned int)
    X509 *SSL_get1_peer_certificate(const SSL *)
    X509 *SSL_SESSION_get0_peer(SSL_SESSION *)
    int SSL_CTX_set_session_ticket_cb(
        SSL_CTX *, void *, int (*)(SSL *, SSL_SESSION *, const unsigned char *, size_t, int, void *) noexcept, void *)

cdef extern from "openssl/err.h":
    void ERR_clear_error()
    unsigned long ERR_peek_error()
    unsigned long ERR_get_error()
    int ERR_GET_REASON(unsigned long)
    int ERR_GET_LIB(unsigned long)
    enum:
        ERR_LIB_SSL
    const char *ERR_reason_error_string(unsigned long)

cdef extern from "openssl/sslerr.h":
    enum:
        SSL_R_HTTP_REQUEST
        SSL_R_CERTIFICATE_VERIFY_FAILED
        SSL_R_UNEXPECTED_EOF_WHILE_READING
        SSL_AD_REASON_OFFSET            # of an alert that was received: its number is added to this

cdef extern from "openssl/bio.h":
    enum:
        BIO_TYPE_SOURCE_SINK
        BIO_CTRL_EOF
        BIO_CTRL_FLUSH
    int BIO_get_new_index()
    BIO_METHOD *BIO_meth_new(int, const char *)
    int BIO_meth_set_read(BIO_METHOD *, int (*)(BIO *, char *, int) noexcept)
    int BIO_meth_set_write(BIO_METHOD *, int (*)(BIO *, const char *, int) noexcept)
    int BIO_meth_set_puts(BIO_METHOD *, int (*)(BIO *, const char *) noexcept)
    int BIO_meth_set_ctrl(BIO_METHOD *, long (*)(BIO *, int, long, void *) noexcept)
    BIO *BIO_new(const BIO_METHOD *)
    void BIO_set_data(BIO *, void *)
    void *BIO_get_data(BIO *)
    void BIO_set_init(BIO *, int)
    void BIO_clear_retry_flags(BIO *)
    void BIO_set_retry_read(BIO *)
    void BIO_set_retry_write(BIO *)

cdef extern from "openssl/pem.h":
    BIO *BIO_new_mem_buf(const void *, int)
    int BIO_free(BIO *)
    unsigned long long BIO_number_written(BIO *)
    X509 *PEM_read_bio_X509_AUX(BIO *, X509 **, void *, void *)
    X509 *PEM_read_bio_X509(BIO *, X509 **, void *, void *)
    EVP_PKEY *PEM_read_bio_PrivateKey(BIO *, EVP_PKEY **, void *, void *)
    void X509_free(X509 *)
    void EVP_PKEY_free(EVP_PKEY *)

cdef extern from "openssl/x509v3.h":
    enum:
        X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS
    X509_STORE *X509_STORE_new()
    void X509_STORE_free(X509_STORE *)
    int X509_STORE_add_cert(X509_STORE *, X509 *)
    int X509_VERIFY_PARAM_set1_ip_asc(X509_VERIFY_PARAM *, const char *)

cdef extern from "openssl/evp.h":
    enum:
        EVP_MAX_IV_LENGTH
    const EVP_CIPHER *EVP_aes_256_cbc()
    int EVP_EncryptInit_ex(EVP_CIPHER_CTX *, const EVP_CIPHER *, void *, const unsigned char *, const unsigned char *)
    int EVP_DecryptInit_ex(EVP_CIPHER_CTX *, const EVP_CIPHER *, void *, const unsigned char *, const unsigned char *)
    int EVP_MAC_CTX_set_params(EVP_MAC_CTX *, const OSSL_PARAM *)

cdef extern from "openssl/params.h":
    OSSL_PARAM OSSL_PARAM_construct_octet_string(const char *, void *, size_t)
    OSSL_PARAM OSSL_PARAM_construct_utf8_string(const char *, char *, size_t)
    OSSL_PARAM OSSL_PARAM_construct_end()

cdef extern from "openssl/rand.h":
    int RAND_bytes(unsigned char *, int)

cdef extern from "openssl/crypto.h":
    void OPENSSL_cleanse(void *, size_t)

cdef extern from "openssl/x509v3.h":
    ctypedef struct X509_CRL:
        pass
    ctypedef struct ASN1_TIME:
        pass
    ctypedef struct ASN1_STRING:
        pass
    ctypedef struct ASN1_INTEGER:
        pass
    ctypedef struct GENERAL_NAME:
        pass
    ctypedef struct GENERAL_NAMES:
        pass
    enum:
        X509_V_FLAG_PARTIAL_CHAIN
        X509_V_FLAG_CRL_CHECK
        NID_subject_alt_name
        GEN_EMAIL
        GEN_DNS
        GEN_URI
        GEN_IPADD
    unsigned long XN_FLAG_RFC2253
    unsigned long ASN1_STRFLGS_ESC_MSB
    X509_NAMES *sk_X509_NAME_new_null()
    int sk_X509_NAME_push(X509_NAMES *, X509_NAME *)
    void sk_X509_NAME_pop_free(X509_NAMES *, void (*)(X509_NAME *))
    void X509_NAME_free(X509_NAME *)
    X509_NAME *X509_NAME_dup(const X509_NAME *)
    int X509_NAME_print_ex(BIO *, const X509_NAME *, int, unsigned long)
    X509_STORE *X509_STORE_new()
    void X509_STORE_free(X509_STORE *)
    int X509_STORE_add_cert(X509_STORE *, X509 *)
    int X509_STORE_add_crl(X509_STORE *, X509_CRL *)
    int X509_STORE_set_flags(X509_STORE *, unsigned long)
    void X509_CRL_free(X509_CRL *)
    X509_CRL *PEM_read_bio_X509_CRL(BIO *, X509_CRL **, void *, void *)
    X509_NAME *X509_get_subject_name(const X509 *)
    X509_NAME *X509_get_issuer_name(const X509 *)
    const ASN1_INTEGER *X509_get0_serialNumber(const X509 *)
    const ASN1_TIME *X509_get0_notBefore(const X509 *)
    const ASN1_TIME *X509_get0_notAfter(const X509 *)
    int X509_cmp_current_time(const ASN1_TIME *)
    void *X509_get_ext_d2i(const X509 *, int, int *, int *)
    void GENERAL_NAMES_free(GENERAL_NAMES *)
    int sk_GENERAL_NAME_num(const GENERAL_NAMES *)
    GENERAL_NAME *sk_GENERAL_NAME_value(const GENERAL_NAMES *, int)
    void *GENERAL_NAME_get0_value(const GENERAL_NAME *, int *)
    const unsigned char *ASN1_STRING_get0_data(const ASN1_STRING *)
    int ASN1_STRING_length(const ASN1_STRING *)

cdef extern from "openssl/bn.h":
    ctypedef struct BIGNUM:
        pass
    BIGNUM *ASN1_INTEGER_to_BN(const ASN1_INTEGER *, BIGNUM *)
    char *BN_bn2dec(const BIGNUM *)
    void BN_free(BIGNUM *)
    void OPENSSL_free(void *)

cdef extern from "openssl/bio.h":
    ctypedef struct BIO_METHOD:
        pass
    BIO *BIO_new(const BIO_METHOD *)
    const BIO_METHOD *BIO_s_mem()
    long BIO_get_mem_data(BIO *, char **)
